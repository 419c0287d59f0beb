"""The kernel's pools that a session shares with the host are not empty when it has taken what it can."""

import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from network_lab import BRIDGE, PROBE_ADDRESS, Lab

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft"),
]

STRANGERS = 40_000
"""More addresses than the host rule once left room for, 32,768."""
IP_UNICAST_IF, IP_RECVERR = 50, 11
"""Linux: the interface that packets leave by, and whether `send` fails with them; `socket` has no names."""
NOBODY_ELSE = 64_047
"""A user id that nothing on a machine has."""
TAKE_INSTANCES = """
import ctypes, os, sys
os.setuid(int(sys.argv[1]))
kernel = ctypes.CDLL(None)
print(sum(kernel.inotify_init() >= 0 for _ in range(300)), flush=True)
sys.stdin.read()
"""


def ask_for_everybody(lab: Lab, held: ExitStack) -> None:
    """Send a packet to each of many addresses, none of which the session has a route to.

    A socket that names its interface needs none: the kernel takes every address for one on that link, and
    asks for it for three seconds.
    """
    interface = int(lab.inside("a", "cat", "/sys/class/net/eth0/ifindex"))
    for first in range(0, STRANGERS, 200):
        mouth = held.enter_context(lab.socket("a", socket.AF_INET, socket.SOCK_DGRAM))
        mouth.setsockopt(socket.IPPROTO_IP, IP_UNICAST_IF, struct.pack("!I", interface))
        for number in range(first, first + 200):
            mouth.sendto(b"", (socket.inet_ntoa(struct.pack("!I", (45 << 24) + number)), 9))


def test_the_host_finds_new_neighbours_while_a_session_asks_for_every_address(lab):
    lab.build()
    lab.plug("a", PROBE_ADDRESS, BRIDGE)
    lab.load_rule()
    with ExitStack() as held:
        ask_for_everybody(lab, held)
        host = held.enter_context(lab.socket("host", socket.AF_INET, socket.SOCK_DGRAM))
        host.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        for number in range(6, 30):
            host.sendto(b"", (f"10.213.201.{number}", 9))  # ENOBUFS where the kernel has no room for one more


@contextmanager
def taken_instances() -> Iterator[int]:
    """Have a process of a user take as many instances of inotify as it gets, and yield the number."""
    command = [sys.executable, "-c", TAKE_INSTANCES, str(NOBODY_ELSE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.communicate()


def test_one_user_has_instances_of_inotify_for_all_containers_of_a_host():
    with taken_instances() as number:
        assert number == 300
        with taken_instances() as another:
            assert another == 300
