"""The least that a limit may be is still a limit: read in the kernel, not in the engine's account."""

from pathlib import Path
from typing import Final

import pytest
from guard_lab import Lab
from sessions_lab import lab_session
from vectors import row

pytestmark = pytest.mark.engine

_CGROUPS: Final = Path("/sys/fs/cgroup")
_LEAST_CPU: Final = 10_000_000


def _cpu_limit(process: int) -> str:
    """Return the quota of a process, in microseconds: -1 or "max" where it has none."""
    for line in Path(f"/proc/{process}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            limit = _CGROUPS / path.lstrip("/") / "cpu.max"
            if limit.exists():
                return limit.read_text().split()[0]
        elif "cpu" in controllers.split(","):
            return (_CGROUPS / "cpu" / path.lstrip("/") / "cpu.cfs_quota_us").read_text().strip()
    raise AssertionError(f"process {process} is in no group that limits its use of processors")


def test_least_part_of_a_processor_is_a_limit_of_the_kernel_and_no_less_is_granted(lab: Lab) -> None:
    with lab_session(lab) as session:
        name = f"dryrun-attack-{lab.nonce}-least"
        assert session.create(name, row.host(NanoCpus=_LEAST_CPU - 1)).status == 403
        made = session.create(name, row.host(NanoCpus=_LEAST_CPU)).json()["Id"]
        lab.guard.must("POST", f"{row.API}/containers/{made}/start")
        process = lab.engine.get(f"/containers/{made}/json")["State"]["Pid"]
        assert _cpu_limit(process) == "1000"


def test_engine_sets_no_limit_for_less_than_the_guard_grants(lab: Lab) -> None:
    """Shows that it is dangerous."""
    body = {"Image": lab.facts["IMAGE"], "HostConfig": {"NanoCpus": 9_999, "NetworkMode": "none"}}
    made = lab.engine.must("POST", f"/containers/create?name=attack-{lab.nonce}-unlimited", body)["Id"]
    try:
        lab.engine.must("POST", f"/containers/{made}/start")
        process = lab.engine.get(f"/containers/{made}/json")["State"]["Pid"]
        assert _cpu_limit(process) in ("-1", "max")
    finally:
        lab.engine.remove_container(made)
