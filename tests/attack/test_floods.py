"""Floods of requests: what is due is removed in time, others are answered, and memory stays bounded."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import flooder
import pytest
from engine_socket import ENGINE_SOCKET
from guard_lab import Lab
from guard_process import GuardProcess
from sessions_lab import lab_session

pytestmark = [pytest.mark.engine, pytest.mark.paired]

_PROGRAM = [sys.executable, "-S", str(Path(__file__).parent / "flooder.py")]
_MOST_FLOOD_SECONDS = 12
_PING_SECONDS = 5
_SESSION_SECONDS = 5
_ANSWERED_SECONDS = 5
_MOST_LATE_SECONDS = 3
_MOST_PING_SECONDS = 2
_MEMORY = 300 * 1024 * 1024


@pytest.fixture(scope="module")
def alone(lab: Lab) -> Iterator[None]:
    """Stop the laboratory's guard: each flooded one keeps deadlines alone."""
    lab.guard.stop()
    try:
        yield
    finally:
        lab.guard.start()


@pytest.fixture(params=["unix", "tcp"])
def flooded(lab: Lab, alone: None, request) -> Iterator[GuardProcess]:
    """A guard of its own, with its memory not used yet; nothing but it is between a client and the engine."""
    with GuardProcess(
        lab.folder,
        ENGINE_SOCKET,
        lab.allowlist(),
        name=f"flooded-{request.param}",
        tcp=request.param == "tcp",
        policy={"sessions": 60, "containers": 2000},
    ) as guard:
        yield guard
        # What the flood left unread would keep it from ending for seconds.
        guard.stop(sign=signal.SIGKILL)


def _address(guard: GuardProcess) -> str:
    return guard.address if isinstance(guard.address, str) else ":".join(map(str, guard.address))


@contextmanager
def _flood(guard: GuardProcess, kind: str, number: int) -> Iterator[None]:
    command = ["nice", *_PROGRAM, _address(guard), kind, str(number), str(_MOST_FLOOD_SECONDS)]
    with subprocess.Popen(command) as flood:
        try:
            yield
        finally:
            flood.terminate()


@contextmanager
def _another_client(lab: Lab, guard: GuardProcess) -> Iterator[list[float]]:
    """Ping as another user, or from another address; the list is filled at the end of the block."""
    took: list[float] = []
    lab.folder.chmod(0o755)
    is_unix = isinstance(guard.address, str)
    other = ["setpriv", "--reuid=65534", "--regid=0", "--clear-groups"] if is_unix else []
    source = [] if is_unix else ["127.0.0.2"]
    command = [*other, *_PROGRAM, _address(guard), "pings", str(_PING_SECONDS), *source]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        yield took
        took += json.loads(client.communicate(timeout=120)[0])


def _answers_again(guard: GuardProcess) -> bool:
    """Whether it answers who flooded it, as soon as the connections of the flood are gone."""
    end = time.monotonic() + _ANSWERED_SECONDS
    while not guard.answers(max(0.1, end - time.monotonic())):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize(
    ("kind", "connections"), [("heads", 10), *((kind, 190) for kind in flooder.KINDS)], ids=str
)
def test_flood_delays_no_deadline_and_no_other_client(
    kind: str, connections: int, lab: Lab, flooded: GuardProcess
) -> None:
    with lab_session(lab, _SESSION_SECONDS, guard=flooded) as session:
        made = session.create(f"dryrun-attack-{lab.nonce}-{kind}-{connections}").json()["Id"]
        flooded.must("POST", f"/v1.45/containers/{made}/start")
        due = time.monotonic() + _SESSION_SECONDS
        with _flood(flooded, kind, connections), _another_client(lab, flooded) as took:
            while session.ids() or session.ids("networks"):
                assert time.monotonic() < due + 90
                time.sleep(0.1)
            late = time.monotonic() - due
        waits = sorted(took)
    figures = {
        "late": round(late, 1),
        "pings": len(waits),
        "p50": round(waits[len(waits) // 2], 3),
        "p99": round(waits[len(waits) * 99 // 100], 2),
        "MiB": flooded.memory_bytes() >> 20,
    }
    sys.stdout.write(f"{kind} {connections} {flooded.url.partition(':')[0]} {figures}\n")
    assert late < _MOST_LATE_SECONDS, figures
    assert figures["p99"] < _MOST_PING_SECONDS, figures
    assert flooded.memory_bytes() < _MEMORY, figures
    assert _answers_again(flooded)
