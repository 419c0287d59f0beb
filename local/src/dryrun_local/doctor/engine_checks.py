"""Checks of Docker Engine: that it answers, its version and limits, and what it has of sessions."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dryrun_local.doctor.check_result import CheckResult
from dryrun_local.machine.engine_view import EngineView

OLDEST_ENGINE: Final = 25
"""Health checks with a start interval came with Engine 25 (API 1.44)."""


def engine_fixes() -> tuple[str, ...]:
    """Return how to get an engine that answers."""
    if shutil.which("dockerd") is None:
        return ("sudo apt-get install docker.io docker-cli",)
    if Path("/run/systemd/system").exists():
        return ("sudo systemctl start docker",)
    return ("make demo     (starts the engine)",)


def engine_version(version: Mapping[str, Any]) -> CheckResult:
    """Check that the engine is new enough."""
    found = str(version.get("Version", "unknown"))
    major = found.partition(".")[0]
    if not major.isdecimal() or int(major) < OLDEST_ENGINE:
        return CheckResult(
            "Docker Engine",
            "missing",
            f"version {found}; the images' health checks need {OLDEST_ENGINE} or newer",
            ("upgrade it from the source that it was installed from",),
        )
    return CheckResult("Docker Engine", "ok", f"{found}, API {version.get('ApiVersion', 'unknown')}")


def limits(info: Mapping[str, Any]) -> CheckResult:
    """Check that the engine enforces the limits of containers."""
    wanted = {"memory": "MemoryLimit", "CPU": "CpuCfsQuota", "processes": "PidsLimit"}
    absent = [name for name, key in wanted.items() if not info.get(key)]
    version = f"cgroup version {info.get('CgroupVersion', '?')}"
    if absent:
        is_rootless = "name=rootless" in (info.get("SecurityOptions") or ())
        return CheckResult(
            "container limits",
            "missing",
            f"the engine does not enforce {', '.join(absent)} ({version}); the guard refuses sessions",
            (
                "boot with cgroup v2 and delegate cpu, memory and pids to the engine's user"
                if is_rootless
                else "docker info | grep WARNING     (names the kernel option)",
            ),
        )
    if not info.get("SwapLimit"):
        return CheckResult("container limits", "note", f"{', '.join(wanted)}, without swap ({version})")
    # Only cgroup version 2 charges the memory of a container's sockets to the container.
    sockets = "; UDP sockets only by the host rule" if str(info.get("CgroupVersion")) == "1" else ""
    return CheckResult("container limits", "ok", f"{', '.join(wanted)}, swap ({version}{sockets})")


async def session_leftovers(engine: EngineView) -> CheckResult:
    """Note what the engine has of sessions."""
    things = [thing for thing in await engine.things() if thing.session is not None]
    if not things:
        return CheckResult("sessions", "ok", "none in the engine")
    named = ", ".join(sorted(map(str, things))[:4]) + (" …" if len(things) > 4 else "")
    return CheckResult(
        "sessions",
        "note",
        f"{named}: of a running or prepared session, or left by an earlier one; "
        "`demo` and `up` clean that up",
    )
