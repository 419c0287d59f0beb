"""Checks of this machine: programs, room, ports, routes, the host rule, and what PostgreSQL needs."""

import os
import shutil
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from dryrun_local.doctor.check_result import CheckResult
from dryrun_local.doctor.host_rule import HostRule, HostRuleError
from dryrun_local.images.programs import ProgramError, capture
from dryrun_local.machine.installation import Installation
from dryrun_local.system.launch import API_PORT, ORCHESTRATOR_PORT
from dryrun_local.system.ports import free_ports

NEEDED_BYTES: Final = 5_000_000_000
"""The images, their build layers and some spare room."""
OWN_BRIDGES: Final = "dr-"
DEFAULT_POOL: Final = "10.213.0.0/16"


def program(name: str, package: str) -> CheckResult:
    """Check that a program of a Debian package is on PATH."""
    place = shutil.which(name)
    if place is None:
        return CheckResult(f"program {name}", "missing", "not on PATH", (f"sudo apt-get install {package}",))
    return CheckResult(f"program {name}", "ok", place)


async def host_rule(installation: Installation) -> CheckResult:
    """Check that the packet filter rule shuts the bridges of sessions."""
    try:
        state = await HostRule(installation.root).check()
    except HostRuleError as error:
        return CheckResult("host rule", "missing", str(error))
    if state.complete:
        return CheckResult("host rule", "ok", "sessions cannot reach this host")
    if state.complete is None:
        return CheckResult(
            "host rule", "note", f"{'; '.join(state.problems)}; each session probes it", (state.fix,)
        )
    return CheckResult("host rule", "missing", "; ".join(state.problems), (state.fix,))


def host_routes() -> list[tuple[str, IPv4Network]]:
    """Return interface and destination of every IPv4 route (proc_net(5): addresses in little-endian hex)."""
    routes = []
    for line in Path("/proc/net/route").read_text(encoding="utf-8").splitlines()[1:]:
        interface, destination, *_, mask = line.split()[:8]
        address, netmask = (
            ".".join(str(byte) for byte in bytes.fromhex(word)[::-1]) for word in (destination, mask)
        )
        routes.append((interface, IPv4Network(f"{address}/{netmask}")))
    return routes


def subnet_pool(pool: str, routes: list[tuple[str, IPv4Network]]) -> CheckResult:
    """Check that no route of this host leads into the pool of the sessions' subnets.

    The default route and sessions' own bridges do not count.
    """
    try:
        network = IPv4Network(pool)
    except ValueError as error:
        return CheckResult(
            "subnet pool", "missing", f"ORCHESTRATOR_SUBNET_POOL is not an IPv4 network: {error}"
        )
    taken = [
        f"{destination} by {interface}"
        for interface, destination in routes
        if destination.prefixlen > 0
        and destination.overlaps(network)
        and not interface.startswith(OWN_BRIDGES)
    ]
    if taken:
        return CheckResult(
            "subnet pool",
            "note",
            f"parts of {network} are in use on this host: {', '.join(taken)}",
            ("export ORCHESTRATOR_SUBNET_POOL=10.214.0.0/16     (any private network that is unused here)",),
        )
    return CheckResult("subnet pool", "ok", f"{network} is free on this host")


async def embedded_postgres(environ: Mapping[str, str]) -> CheckResult:
    """Check that the embedded PostgreSQL can run, unless another server is named."""
    if environ.get("APPROVAL_DATABASE_URL"):
        return CheckResult("database", "ok", "the server in APPROVAL_DATABASE_URL")
    if os.geteuid() == 0:
        try:
            code, _, said = await capture(["unshare", "--user", "--map-user=65534", "true"], seconds=20)
        except ProgramError as error:
            code, said = 1, str(error)
        if code != 0:
            last_line = said.strip().rpartition("\n")[2]
            return CheckResult(
                "database",
                "missing",
                f"as root the embedded PostgreSQL needs user namespaces: {last_line}",
                ("run as an ordinary user, or set APPROVAL_DATABASE_URL to a server",),
            )
    return CheckResult("database", "ok", "the embedded PostgreSQL")


def disk(check: str, place: Path) -> CheckResult:
    """Check the room on the file system that holds `place`."""
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < NEEDED_BYTES:
        return CheckResult(
            check,
            "missing",
            f"{free / 1e9:.1f} GB free below {place}; {NEEDED_BYTES / 1e9:.0f} GB are needed",
        )
    return CheckResult(check, "ok", f"{free / 1e9:.0f} GB free")


def ports() -> CheckResult:
    """Note which of the usual ports are in use."""
    wanted = (API_PORT, ORCHESTRATOR_PORT)
    taken = [str(port) for port, free in zip(wanted, free_ports(*wanted), strict=True) if port != free]
    if taken:
        return CheckResult(
            "ports", "note", f"{', '.join(taken)} in use; the services pick free ones and print them"
        )
    return CheckResult("ports", "ok", f"{' and '.join(map(str, wanted))} are free")
