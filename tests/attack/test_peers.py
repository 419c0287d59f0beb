"""Who may connect: the peer's credentials decide on a Unix socket, and one client's crowd is its own."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from engine_socket import open_connection
from guard_lab import POLICY, Lab
from guard_process import GuardProcess
from vectors import ALL
from witness import Snapshot, leaks, states

pytestmark = pytest.mark.engine

_ASK = """
import socket, sys
connection = socket.socket(socket.AF_UNIX)
try:
    connection.connect(sys.argv[1])
    connection.settimeout(2)
    connection.sendall(b"GET /_ping HTTP/1.1\\r\\nHost: docker\\r\\nConnection: close\\r\\n\\r\\n")
    print(connection.recv(65536).decode().partition("\\r\\n")[0])
except OSError as error:
    print(error)
"""
_HOLD = """
import socket, sys
held = []
for _ in range(int(sys.argv[2])):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(sys.argv[1])
    held.append(connection)
print("held", flush=True)
sys.stdin.read()
"""
_OVER_TCP = [
    vector
    for vector in ALL
    if vector.id
    in {
        "framing-cl-te",
        "framing-te-cl",
        "framing-two-lengths",
        "framing-pipeline-remove",
        "header-attach-upgrade",
        "header-upgrade-h2c",
        "host-privileged",
        "path-absolute",
        "route-post-build",
        "victim-inspect-plain-by-id",
        "victim-remove-plain-by-id",
    }
]


def ask_as(lab: Lab, user: int, group: int) -> str:
    """Return the status line that another user of this machine is answered with."""
    identity = [f"--reuid={user}", f"--regid={group}", "--clear-groups"]
    command = ["setpriv", *identity, sys.executable, "-S", "-c", _ASK, str(lab.guard.address)]
    lab.folder.chmod(0o755)  # the folder's mode must not be what keeps others out
    socket_file = Path(str(lab.guard.address))
    before = socket_file.stat().st_mode
    socket_file.chmod(0o777)  # nor the socket's
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout.strip()
    finally:
        socket_file.chmod(before)


def test_stranger_on_the_machine_is_refused(lab: Lab) -> None:
    assert " 403 " in ask_as(lab, 65534, 65534)


def test_member_of_the_guards_group_is_served(lab: Lab) -> None:
    assert " 200 " in ask_as(lab, 65534, 0)


def test_crowd_of_one_client_does_not_keep_another_out(lab: Lab) -> None:
    with ExitStack() as exits:
        for _ in range(600):
            exits.enter_context(open_connection(lab.guard.address))
        assert " 200 " in ask_as(lab, 65534, 0)


def test_two_clients_do_not_keep_a_third_out(lab: Lab) -> None:
    with ExitStack() as exits:
        for _ in range(600):
            exits.enter_context(open_connection(lab.guard.address))
        exits.enter_context(_holding(lab, 65534, 600))
        assert " 200 " in ask_as(lab, 65533, 0)


def test_flood_of_connections_does_not_use_up_the_guards_descriptors(lab: Lab) -> None:
    """Each that is turned away gets a message, for up to a second: not all of them at the same time."""
    ours, theirs = (resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in (0, lab.guard.pid))
    resource.prlimit(0, resource.RLIMIT_NOFILE, (min(ours[1], 4096), ours[1]))
    resource.prlimit(lab.guard.pid, resource.RLIMIT_NOFILE, (1024, theirs[1]))
    try:
        with ExitStack() as exits:
            for _ in range(2500):
                exits.enter_context(open_connection(lab.guard.address))
            assert " 200 " in ask_as(lab, 65534, 0)
            assert len(list(Path(f"/proc/{lab.guard.pid}/fd").iterdir())) < 700
    finally:
        resource.prlimit(0, resource.RLIMIT_NOFILE, ours)
        resource.prlimit(lab.guard.pid, resource.RLIMIT_NOFILE, theirs)


@contextmanager
def _holding(lab: Lab, user: int, number: int) -> Iterator[None]:
    """Hold connections as another user of the guard's group for the time of the block."""
    command = ["setpriv", f"--reuid={user}", "--regid=0", "--clear-groups", sys.executable, "-S", "-c", _HOLD]
    lab.folder.chmod(0o755)
    with subprocess.Popen(
        [*command, str(lab.guard.address), str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == "held\n"
            yield
        finally:
            holder.stdin.close()
            holder.wait(20)


@pytest.fixture(scope="module")
def tcp(lab: Lab) -> Iterator[GuardProcess]:
    with GuardProcess(
        lab.folder, lab.tap.path, lab.allowlist(), name="tcp", tcp=True, policy=POLICY
    ) as guard:
        yield guard


@pytest.mark.parametrize("vector", _OVER_TCP, ids=lambda vector: vector.id)
def test_attack_over_tcp_does_not_succeed(vector, lab: Lab, tcp: GuardProcess) -> None:
    before = states(lab, Snapshot.take(lab))
    unix, lab.guard = lab.guard, tcp
    try:
        sent, answer = lab.attack(vector, lab.vector_facts())
    finally:
        lab.guard = unix
    assert not list(leaks(lab, sent, answer))
    assert answer.status in vector.answers
    assert states(lab, Snapshot.take(lab)) == before
