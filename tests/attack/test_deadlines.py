"""The guard removes what is past its deadline by itself, and nothing else."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from engine_socket import EngineSocket
from guard_lab import POLICY, SESSION_LABEL, Lab, timestamp
from guard_process import GuardProcess, free_port
from local_stack import ORCHESTRATOR_TOKEN, ROOT, SUBNET_POOL
from sessions_lab import LabSession, lab_session
from vectors import row

pytestmark = [pytest.mark.engine, pytest.mark.long(50)]

_SESSION_SECONDS = 20
_CONTAINERS = 5
"""Of the template `small`."""


def wait_until(is_so: Any, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.1)
    return bool(is_so())


@contextmanager
def orchestrator(folder: Path, docker_host: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run an orchestrator whose sessions last 20 s, with the guard as its only engine."""
    port = free_port()
    (folder / "state").mkdir()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("ORCHESTRATOR_", "DOCKER_"))
    } | {
        "DOCKER_HOST": docker_host,
        "ORCHESTRATOR_TOKEN": ORCHESTRATOR_TOKEN,
        "ORCHESTRATOR_LISTEN": f"127.0.0.1:{port}",
        "ORCHESTRATOR_STATE_DIR": str(folder / "state"),
        "ORCHESTRATOR_TEMPLATES_DIR": str(ROOT / "templates"),
        "ORCHESTRATOR_COLLECTORS_DIR": str(ROOT / "collectors" / "manifests"),
        "ORCHESTRATOR_ALLOWLIST": str(ROOT / ".dryrun" / "allowlist.json"),
        "ORCHESTRATOR_SUBNET_POOL": SUBNET_POOL,
        "ORCHESTRATOR_SESSION_SECONDS": str(_SESSION_SECONDS),
    }
    program = str(Path(sys.prefix) / "bin" / "dryrun-orchestrator")
    with (folder / "orchestrator.log").open("wb") as log:
        child = subprocess.Popen([program, "serve"], env=environment, stdout=log, stderr=log)
    try:
        yield child, f"http://127.0.0.1:{port}"
    finally:
        child.kill()
        child.wait(10)


@dataclass(frozen=True, slots=True)
class Doomed:
    """A session whose orchestrator was killed in the middle of it."""

    label: str
    began: float
    expires_at: str


@pytest.fixture(scope="module", autouse=True)
def doomed(lab: Lab) -> Iterator[Doomed]:
    """Made before the module's first test, so that the others run while its deadline comes."""
    session = uuid4()
    label = f"{SESSION_LABEL}={session}"
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="dg-")))
        child, url = exits.enter_context(orchestrator(folder, lab.guard.url))
        exits.callback(_remove, lab.engine, label)
        began = _start(url, session)
        # In its middle: when all of it runs, or on a slow machine with what there is after half its time.
        wait_until(lambda: len(_running(lab.engine, label)) >= _CONTAINERS, _SESSION_SECONDS / 2)
        assert _running(lab.engine, label), (folder / "orchestrator.log").read_text()[-2000:]
        child.kill()
        child.wait(10)
        (network,) = [lab.engine.get(f"/networks/{each}") for each in lab.engine.labelled("networks", label)]
        yield Doomed(label, began, network["Labels"]["discovery.dryrun.expires_at"])


def test_container_lost_its_network_and_is_ended_at_its_deadline(lab: Lab) -> None:
    with lab_session(lab, 4) as session:
        made = session.create(f"dryrun-attack-{lab.nonce}-orphan").json()["Id"]
        (network,) = session.ids("networks")
        lab.engine.remove_network(network)
        assert wait_until(lambda: not session.ids(), 20)
        assert lab.engine.call("GET", f"/containers/{made}/json")[0] == 404


def test_a_far_deadline_label_does_not_save_a_container_made_past_the_guard(lab: Lab) -> None:
    """A restarted guard meets labels it has not judged: the network's age is the engine's own word."""
    session = LabSession(lab, lab.guard, 600)
    body = session.network_body()
    body["Labels"]["discovery.dryrun.expires_at"] = "2099-01-01T00:00:00Z"
    lab.engine.must("POST", "/networks/create", body)
    try:
        session.facts["EXPIRES"] = "2099-01-01T00:00:00Z"
        assert session.create(f"dryrun-attack-{lab.nonce}-far").status in {400, 403, 404, 409}
        assert not session.ids()
    finally:
        session.remove()


def test_foreign_guest_survives_the_end_of_the_session_it_stands_in(lab: Lab) -> None:
    failures = _failed_removals(lab.guard)
    with lab_session(lab, 4) as session:
        made = session.create(f"dryrun-attack-{lab.nonce}-beside-guest").json()["Id"]
        body = {
            "Image": lab.facts["OUTSIDE_ID"],
            "Labels": {"attack.victim": lab.nonce},
            "HostConfig": {"NetworkMode": session.facts["NETWORK"]},
        }
        guest = lab.engine.must("POST", f"/containers/create?name=guest-{lab.nonce}-2", body)["Id"]
        lab.engine.must("POST", f"/containers/{guest}/start")
        try:
            assert wait_until(lambda: made not in session.ids(), 20)
            # It cannot remove the network under the guest, and says so at every try.
            assert wait_until(lambda: _failed_removals(lab.guard) >= failures + 2, 20)
            assert lab.engine.get(f"/containers/{guest}/json")["State"]["Running"] is True
            assert session.ids("networks")
        finally:
            lab.engine.remove_container(guest)
        assert wait_until(lambda: not session.ids("networks"), 20)


def _failed_removals(guard: GuardProcess) -> float:
    """Return how many tries of the guard to remove something have failed."""
    with urllib.request.urlopen(f"http://127.0.0.1:{guard.metrics_port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    (found,) = re.findall(r"^docker_guard_removal_failures_total (\S+)$", text, re.MULTILINE)
    return float(found)


def test_killed_orchestrator_leaves_its_session_to_the_guard_alone(lab: Lab, doomed: Doomed) -> None:
    assert doomed.expires_at <= timestamp(_SESSION_SECONDS)
    left = doomed.began + _SESSION_SECONDS - time.monotonic()
    assert wait_until(lambda: not _things(lab.engine, doomed.label), left + 30), _things(
        lab.engine, doomed.label
    )


def test_removal_that_hangs_keeps_no_other_session_and_is_tried_again(lab: Lab) -> None:
    failures = _failed_removals(lab.guard)
    with lab_session(lab, 4) as stuck, lab_session(lab, 5) as other:
        hanging = stuck.create(f"dryrun-attack-{lab.nonce}-hangs").json()["Id"]
        other.create(f"dryrun-attack-{lab.nonce}-hangs-not")
        lab.tap.swallowed = f"DELETE /v1.45/containers/{hanging}".encode()
        try:
            assert wait_until(lambda: not other.ids() and not other.ids("networks"), 20)
            assert wait_until(lambda: _failed_removals(lab.guard) >= failures + 2 or not stuck.ids(), 30)
            if not stuck.ids():
                pytest.skip("another guard on this engine removed it: not for us to see")
        finally:
            lab.tap.swallowed = b""
        assert wait_until(lambda: not stuck.ids() and not stuck.ids("networks"), 20)


def test_full_disk_stops_what_is_made_and_not_what_is_removed(lab: Lab) -> None:
    full = GuardProcess(
        lab.folder, lab.tap.path, lab.allowlist(), name="full", policy=POLICY, log=Path("/dev/full")
    )
    with lab_session(lab, 5) as session:
        waiting = session.create(f"dryrun-attack-{lab.nonce}-full").json()["Id"]
        lab.guard.stop()  # what is due is the other guard's alone
        try:
            with full:
                started = full.ask("POST", f"{row.API}/containers/{waiting}/start")
                session.guard = full
                created = session.create(f"dryrun-attack-{lab.nonce}-fuller")
                another = LabSession(lab, full, 600)
                network = full.ask("POST", row.CREATE_NETWORK, another.network_body())
                assert (started.status, created.status, network.status) == (503, 503, 503)
                assert "rule audit" in created.message
                assert not another.ids("networks")
                assert full.ask("GET", f"{row.API}/containers/json?all=1").status == 200
                assert wait_until(lambda: not session.ids() and not session.ids("networks"), 20)
                assert full.answers()
        finally:
            lab.guard.start()


def test_guard_that_was_killed_ends_sessions_after_its_restart(lab: Lab) -> None:
    with lab_session(lab, 4) as session:
        session.create(f"dryrun-attack-{lab.nonce}-restart")
        lab.guard.stop(sign=signal.SIGKILL)
        time.sleep(4)
        lab.guard.start()
        assert wait_until(lambda: not session.ids() and not session.ids("networks"), 20)


def _start(url: str, session: UUID) -> float:
    headers = {"Authorization": f"Bearer {ORCHESTRATOR_TOKEN}", "X-Actor": "attack suite"}

    def answers() -> bool:
        try:
            return httpx2.get(f"{url}/livez", timeout=2, trust_env=False).is_success
        except httpx2.HTTPError:
            return False

    assert wait_until(answers, 20)
    began = time.monotonic()
    httpx2.put(
        f"{url}/sessions/{session}", json={"template": "small"}, headers=headers, timeout=30, trust_env=False
    ).raise_for_status()
    return began


def _things(engine: EngineSocket, label: str) -> list[str]:
    return engine.labelled("containers", label) + engine.labelled("networks", label)


def _running(engine: EngineSocket, label: str) -> list[str]:
    ids = set(engine.labelled("containers", label))
    return [
        found["Id"] for found in engine.containers() if found["Id"] in ids and found["State"] == "running"
    ]


def _remove(engine: EngineSocket, label: str) -> None:
    for container in engine.labelled("containers", label):
        engine.remove_container(container)
    for network in engine.labelled("networks", label):
        engine.remove_network(network)
