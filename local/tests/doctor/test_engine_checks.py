import pytest

from dryrun_local.doctor import engine_checks
from dryrun_local.machine.engine_view import Thing


def test_an_old_engine_is_named_with_what_is_needed():
    finding = engine_checks.engine_version({"Version": "20.10.24", "ApiVersion": "1.41"})
    assert finding.state == "missing"
    assert "20.10.24" in finding.detail
    assert "25 or newer" in finding.detail
    assert engine_checks.engine_version({"Version": "26.1.5+dfsg1", "ApiVersion": "1.45"}).state == "ok"


def test_limits_that_the_engine_cannot_set_are_named():
    info = {"MemoryLimit": True, "SwapLimit": True, "CpuCfsQuota": False, "PidsLimit": False}
    finding = engine_checks.limits(info)
    assert finding.state == "missing"
    assert "does not enforce CPU, processes (" in finding.detail
    assert "docker info" in finding.fixes[0]
    rootless = engine_checks.limits(info | {"SecurityOptions": ["name=seccomp", "name=rootless"]})
    assert "cgroup v2" in rootless.fixes[0]


def test_swap_that_the_engine_cannot_limit_is_a_note():
    info = {"MemoryLimit": True, "SwapLimit": False, "CpuCfsQuota": True, "PidsLimit": True}
    assert engine_checks.limits(info).state == "note"
    assert engine_checks.limits(info | {"SwapLimit": True}).state == "ok"


@pytest.mark.parametrize(("version", "is_told"), [("1", True), ("2", False)])
def test_names_the_cgroup_version_that_does_not_limit_sockets(version, is_told):
    info = {"MemoryLimit": True, "SwapLimit": True, "CpuCfsQuota": True, "PidsLimit": True}
    finding = engine_checks.limits(info | {"CgroupVersion": version})
    assert ("UDP sockets only by the host rule" in finding.detail) is is_told


async def test_what_the_engine_has_of_sessions_may_be_prepared_ones():
    class Engine:
        async def things(self):
            return frozenset({Thing("network", "a" * 64, "dryrun-1", session="1")})

    finding = await engine_checks.session_leftovers(Engine())
    assert (finding.state, "network dryrun-1: of a running or prepared session" in finding.detail) == (
        "note",
        True,
    )
