"""The probe of an overlay says "isolated" only where nothing leads out and all others have answered it."""

import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from built_probe import checked_probe_program
from network_lab import BRIDGE, PEER, PROBE_ADDRESS, Lab
from probe_frames import checksum

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft"),
]

HOSTS = ("172.17.0.1", "172.18.0.1", "172.19.0.1")
"""What Docker's own bridges have."""
OF_A_HOST, OF_AN_ENGINE = HOSTS[0], "10.213.200.40"
"""The latter is in the half of the subnet that engines use."""
ANSWER, OURS = 0, 0xD24E


@pytest.fixture
def wire(lab: Lab) -> Lab:
    """The probe's machine, one that it has to reach, and the bridge between them, which is nobody."""
    lab.build()
    lab.plug("a", PROBE_ADDRESS, BRIDGE)
    lab.plug("peer", PEER, BRIDGE)
    return lab


@contextlib.contextmanager
def probing(lab: Lab, *peers: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the probe until the block ends."""
    config = {"version": 1, "cidr": "10.213.200.0/27", "self": PROBE_ADDRESS, "peers": peers}
    with subprocess.Popen(
        ["ip", "netns", "exec", lab.prefix + "a", str(checked_probe_program())],
        env={"PATH": os.environ["PATH"], "DISCOVERY_CONFIG": json.dumps(config)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as probe:
        try:
            yield probe
        finally:
            probe.kill()


def next_line(probe: "subprocess.Popen[str]") -> dict[str, Any]:
    assert probe.stdout is not None
    assert probe.stderr is not None
    line = probe.stdout.readline()
    assert line, probe.stderr.read()
    said: dict[str, Any] = json.loads(line)
    return said


def judged(lab: Lab, *peers: str) -> tuple[int, str]:
    """Return the probe's exit code and its reason; one that says "isolated" stays, for the others' sake."""
    with probing(lab, *(peers or (PEER,))) as probe:
        said = [next_line(probe) for _ in range(3)]
        assert [each["type"] for each in said] == ["progress", "verdict", "end"]
        code: int = said[2]["exit_code"]
        if code == 0:
            with pytest.raises(subprocess.TimeoutExpired):
                probe.wait(0.3)
        else:
            assert probe.wait(5) == code
    assert said[1]["isolated"] is {0: True, 1: False, 2: None}[code]
    return code, said[1]["reason"]


def test_is_isolated_when_each_of_the_others_answers_and_nobody_else(wire: Lab) -> None:
    assert judged(wire) == (0, "nothing leads out of the overlay, and 1 other host answers")


def test_a_second_interface_leads_out(wire: Lab) -> None:
    wire.inside("a", "ip", "link", "add", "eth1", "type", "bridge")
    assert judged(wire) == (1, "there are 2 network interfaces: one leads out")


def test_a_default_route_leads_out(wire: Lab) -> None:
    wire.inside("a", "ip", "route", "add", "default", "via", PEER)
    assert judged(wire) == (1, "there is a default route")


def test_without_an_interface_nothing_is_known(lab: Lab) -> None:
    lab.build()
    assert judged(lab) == (2, "there is no network interface")


@pytest.mark.parametrize("address", HOSTS)
def test_a_host_that_answers_arp_is_reached(wire: Lab, address: str) -> None:
    wire.inside("peer", "ip", "addr", "add", f"{address}/32", "dev", "lo")
    wire.inside("peer", "sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
    assert judged(wire) == (1, "a host answers ARP")


@pytest.mark.parametrize("led_by", ["whoever answers in the engines' half", "a frame to everybody"])
def test_a_host_that_answers_a_ping_is_reached(wire: Lab, led_by: str) -> None:
    leads = led_by.startswith("whoever")
    wire.plug("b", OF_AN_ENGINE, BRIDGE)
    wire.inside("b", "ip", "addr", "add", f"{OF_A_HOST}/32", "dev", "lo")
    wire.inside("b", "ip", "route", "add", PROBE_ADDRESS, "dev", "eth0")
    wire.inside(
        "b",
        "sysctl",
        "-qw",
        # For the address of its interface only, or for none.
        f"net.ipv4.conf.all.arp_ignore={1 if leads else 8}",
        f"net.ipv4.conf.eth0.drop_unicast_in_l2_multicast={1 if leads else 0}",
    )
    assert judged(wire) == (1, f"a host answers: a ping, from {OF_A_HOST}")


def answer(to: bytes, source: str, target: str, *, identity: int = OURS, kind: int = ANSWER) -> bytes:
    """Return a frame with an answer to a ping."""
    icmp = struct.pack("!BBHHH", kind, 0, 0, identity, 1) + b"dry-run."
    icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 0, 0, 64, socket.IPPROTO_ICMP, 0)
    header += socket.inet_aton(source) + socket.inet_aton(target)
    return to + bytes.fromhex("0242c00000aa") + b"\x08\x00" + header + icmp


def test_only_an_answer_to_our_own_ping_counts(wire: Lab) -> None:
    wire.inside("peer", "sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
    own = bytes.fromhex(wire.inside("a", "cat", "/sys/class/net/eth0/address").strip().replace(":", ""))
    good = answer(own, PEER, PROBE_ADDRESS)
    frames = [
        answer(own, PEER, PROBE_ADDRESS, identity=OURS + 1),
        answer(own, PEER, PROBE_ADDRESS, kind=8),
        answer(own, PEER, PROBE_ADDRESS, kind=3),
        answer(b"\x02" * 6, PEER, "10.213.200.29"),
        good[:14] + b"\x4f" + good[15:],
        good[:23] + b"\x11" + good[24:],
        *(good[:length] for length in range(14, 40)),
    ]
    with wire.repeated(frames):
        code, reason = judged(wire)
    assert (code, reason.partition(":")[0]) == (2, f"{PEER}, on another host, does not answer")
    with wire.repeated([good]):
        assert judged(wire)[0] == 0


def test_the_end_of_the_process_that_judges_is_told_by_the_one_that_waits_for_it(wire: Lab) -> None:
    with probing(wire, "10.213.200.9") as probe:
        assert next_line(probe)["type"] == "progress"
        children = Path(f"/proc/{probe.pid}/task/{probe.pid}/children")
        deadline = time.monotonic() + 5
        while not (judges := children.read_text().split()):
            assert time.monotonic() < deadline
        os.kill(int(judges[0]), signal.SIGKILL)
        assert next_line(probe) == {"type": "end", "discoveries": 0, "exit_code": 128 + signal.SIGKILL}
        assert probe.wait(5) == 128 + signal.SIGKILL
