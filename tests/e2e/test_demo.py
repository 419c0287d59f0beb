"""`dryrun-local demo` as a person runs it: to its end, interrupted, and killed."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from local_stack import ROOT

pytestmark = pytest.mark.engine

PROGRAM = str(ROOT / ".venv" / "bin" / "dryrun-local")
SESSION_LABEL = "discovery.dryrun.session_id"


@pytest.fixture
def state(tmp_path) -> Path:
    """An installation beside the person's own: its database, ports and sessions are its own."""
    shutil.copy(ROOT / ".dryrun" / "allowlist.json", tmp_path)
    return tmp_path


@pytest.fixture
def start_demo(state, engine):
    started = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        demo = subprocess.Popen(
            [PROGRAM, "demo", "--json", *arguments],
            env=os.environ | {"DRYRUN_STATE": str(state), "ORCHESTRATOR_SUBNET_POOL": "10.213.64.0/18"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(demo)
        return demo

    yield start
    for demo in started:
        demo.kill()
        demo.communicate(timeout=10)


def read_until(demo, wanted) -> dict:
    """Read events until one fulfils `wanted`; fails with what was said when the output ends before."""
    for line in demo.stdout:
        event = json.loads(line)
        if wanted(event):
            return event
    pytest.fail(f"the demo ended before: {demo.stderr.read()}")


def phase_is(phase):
    return lambda event: event.get("data", {}).get("phase") == phase


def things_of(docker, session_id) -> list[str]:
    label = f"label={SESSION_LABEL}={session_id}"
    return [
        *docker("ps", "-aq", "--filter", label).split(),
        *docker("network", "ls", "-q", "--filter", label).split(),
    ]


def processes_of(state) -> list[str]:
    mark = f"DRYRUN_INSTALLATION={state}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_one_command_gives_a_report_and_leaves_nothing(start_demo, state, docker):
    demo = start_demo()
    said, complained = demo.communicate(timeout=180)

    last = json.loads(said.splitlines()[-1])
    assert demo.returncode == 0, complained
    assert last["type"] == "demo_ended"
    assert last["outcome"] == "completed"
    assert last["left"] == []
    assert {Path(path).suffix for path in last["files"]} == {".md", ".json"}
    assert all(Path(path).stat().st_size > 500 for path in last["files"])
    assert things_of(docker, last["session_id"]) == []
    assert processes_of(state) == []


def test_ctrl_c_removes_the_session_and_ends_the_services(start_demo, state, docker):
    demo = start_demo()
    session_id = read_until(demo, phase_is("scanning"))["session_id"]
    assert things_of(docker, session_id) != []

    demo.send_signal(signal.SIGINT)
    said, complained = demo.communicate(timeout=120)

    assert demo.returncode == 128 + signal.SIGINT, complained
    assert json.loads(said.splitlines()[-1])["left"] == []
    assert things_of(docker, session_id) == []
    assert processes_of(state) == []


def test_a_killed_run_is_cleaned_up_by_the_next_one(start_demo, state, docker):
    killed = start_demo()
    session_id = read_until(killed, phase_is("waiting"))["session_id"]
    killed.kill()
    killed.wait(timeout=10)
    assert processes_of(state) != [], "kill -9 leaves the services, or this test shows nothing"

    refused = start_demo("--template", "no-such-template")
    _, complained = refused.communicate(timeout=120)

    assert refused.returncode == 1
    assert "no-such-template" in complained
    assert "small" in complained
    assert things_of(docker, session_id) == []
    assert processes_of(state) == []


def test_a_second_run_beside_the_first_is_refused(start_demo):
    first = start_demo()
    read_until(first, phase_is("provisioning"))

    begun = time.monotonic()
    second = start_demo()
    _, complained = second.communicate(timeout=30)

    assert second.returncode == 1
    assert f"another dryrun-local (process {first.pid})" in complained
    assert time.monotonic() - begun < 10
    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=120) == 128 + signal.SIGINT
