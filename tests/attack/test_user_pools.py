"""A container through the guard leaves most of what the kernel grants its user to the host's processes."""

import subprocess

import pytest
from guard_lab import Lab
from sessions_lab import lab_session
from vectors import row

pytestmark = pytest.mark.engine


def inside(container: str, *command: str) -> str:
    done = subprocess.run(
        ["docker", "exec", container, *command], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_a_user_of_the_host_keeps_signals_timers_and_message_queues(lab: Lab) -> None:
    silent = row.container(HostConfig={**row.container()["HostConfig"], "Ulimits": None})
    with lab_session(lab) as session:
        made = session.create(f"dryrun-attack-{lab.nonce}-pools", silent).json()["Id"]
        lab.guard.must("POST", f"{row.API}/containers/{made}/start")
        limits = {
            line[:26].strip(): line[26:].split()[:2]
            for line in inside(made, "cat", "/proc/1/limits").splitlines()
        }
        assert limits["Max pending signals"] == ["1024", "1024"]
        assert limits["Max msgqueue size"] == ["0", "0"]
        # A health probe is a process that the engine adds, as this one is.
        status = inside(made, "cat", "/proc/self/status").splitlines()
        assert next(line for line in status if line.startswith("SigQ:")).endswith("/1024")
