"""A guard whose policy says so adds its narrow profile to each container, and starts none without it."""

import errno
import subprocess
from pathlib import Path

import pytest
from engine_socket import ENGINE_SOCKET
from guard_lab import Lab
from guard_process import GuardProcess
from sessions_lab import lab_session
from vectors import row

from docker_guard.rules.system_calls import narrow_profile

pytestmark = pytest.mark.engine

OPTIONS = ["no-new-privileges:true", f"seccomp={narrow_profile()}"]


def test_a_container_runs_with_the_narrow_profile_or_not_at_all(lab: Lab) -> None:
    with (
        GuardProcess(
            lab.folder, ENGINE_SOCKET, lab.allowlist(), name="narrow", policy={"seccomp": "narrow"}
        ) as guard,
        lab_session(lab, guard=guard) as session,
    ):
        made = session.create(f"dryrun-attack-{lab.nonce}-narrow").json()["Id"]
        guard.must("POST", f"{row.API}/containers/{made}/start")
        found = lab.engine.get(f"/containers/{made}/json")
        assert found["HostConfig"]["SecurityOpt"] == OPTIONS
        status = Path(f"/proc/{found['State']['Pid']}/status").read_text().splitlines()
        assert "Seccomp:\t2" in status
        # Docker's own profile lets AF_ALG pass to the kernel, which has no such kind of socket: EINVAL.
        tried = [
            "docker",
            "exec",
            made,
            "perl",
            "-e",
            "socket(my $s, 38, 1 << 20, 0) and exit 3; print 0 + $!",
        ]
        done = subprocess.run(tried, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (0, str(errno.EAFNOSUPPORT)), done.stderr

        # Created by a guard without it, on the same engine.
        other = lab.guard.ask(
            "POST", f"{row.API}/containers/create?name=dryrun-attack-{lab.nonce}-wide", session.body()
        ).json()["Id"]
        assert guard.ask("POST", f"{row.API}/containers/{other}/start").status == 403
        assert not lab.engine.get(f"/containers/{other}/json")["State"]["Running"]
