"""What a machine needs for dry-runs. Each check examines one thing and changes nothing."""

import os
import shlex
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal

from dryrun_local.doctor.host_rule import HostRule, HostRuleError
from dryrun_local.images.building import list_images
from dryrun_local.images.folders import ManifestError
from dryrun_local.images.programs import ProgramError, capture
from dryrun_local.machine.engine_view import EngineView, open_engine
from dryrun_local.machine.errors import AlreadyRunningError, EngineError
from dryrun_local.machine.installation import Installation, from_here
from dryrun_local.machine.lock import held, holder_of
from dryrun_local.replicas.condition import AGAIN, lacks_of
from dryrun_local.replicas.installed import damaged, installed
from dryrun_local.system.launch import API_PORT, ORCHESTRATOR_PORT
from dryrun_local.system.ports import free_ports
from dryrun_local.system.processes import find_leftovers
from dryrun_orchestrator.catalog.allowlist import AllowlistError, load_allowlist
from dryrun_orchestrator.catalog.collector_manifests import load_collector_manifests
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.catalog.templates import TemplateCatalog

OLDEST_ENGINE: Final = 25
"""Health checks with a start interval came with Engine 25 (API 1.44)."""
NEEDED_BYTES: Final = 5_000_000_000
"""The images, their build layers and some spare room."""
OWN_BRIDGES: Final = "dr-"
DEFAULT_POOL: Final = "10.213.0.0/16"

type State = Literal["ok", "missing", "note"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. `missing` makes dry-runs fail, `note` does not; `fixes` are commands."""

    check: str
    state: State
    detail: str
    fixes: tuple[str, ...] = ()


async def all_results(installation: Installation, environ: Mapping[str, str]) -> AsyncIterator[CheckResult]:
    """Yield one result per check, in the order in which a person would fix them."""
    yield _python(installation)
    for name, package in (("docker", "docker-cli"), ("mmdebstrap", "mmdebstrap")):
        yield _program(name, package)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(environ))
        try:
            info, version = await engine.get("/info"), await engine.get("/version")
        except EngineError as error:
            yield CheckResult("Docker Engine", "missing", str(error).split("; ")[0], _engine_fixes())
        else:
            yield _engine_version(version)
            yield _limits(info)
            yield (images := await _images(installation))
            if images.state == "ok":
                yield _files(installation)
            if (replicas := await installed_replicas(installation)) is not None:
                yield replicas
            yield await _session_leftovers(engine)
            yield _disk("disk, engine", Path(info["DockerRootDir"]))
    yield await _host_rule(installation)
    yield subnet_pool(environ.get("ORCHESTRATOR_SUBNET_POOL", DEFAULT_POOL), _host_routes())
    yield await _embedded_postgres(environ)
    yield _disk("disk, checkout", installation.root)
    yield _ports()
    yield _running(installation)


def _python(installation: Installation) -> CheckResult:
    version = ".".join(map(str, sys.version_info[:3]))
    missing = [
        name
        for name in ("dryrun", "dryrun-orchestrator", "approval-api")
        if not installation.program(name).exists()
    ]
    if missing:
        return CheckResult("Python", "missing", f"{version}, without {', '.join(missing)}", ("make demo",))
    return CheckResult("Python", "ok", f"{version} in {from_here(installation.root / '.venv')}")


def _program(name: str, package: str) -> CheckResult:
    place = shutil.which(name)
    if place is None:
        return CheckResult(f"program {name}", "missing", "not on PATH", (f"sudo apt-get install {package}",))
    return CheckResult(f"program {name}", "ok", place)


def _engine_fixes() -> tuple[str, ...]:
    if shutil.which("dockerd") is None:
        return ("sudo apt-get install docker.io docker-cli",)
    if Path("/run/systemd/system").exists():
        return ("sudo systemctl start docker",)
    return ("make demo     (starts the engine)",)


def _engine_version(version: Mapping[str, Any]) -> CheckResult:
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


def _limits(info: Mapping[str, Any]) -> CheckResult:
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


async def _images(installation: Installation) -> CheckResult:
    fixes = (".venv/bin/dryrun-local images build",)
    try:
        listings = await list_images(installation.root)
    except (ManifestError, ProgramError) as error:
        return CheckResult("images", "missing", str(error), fixes)
    behind = [listing.image for listing in listings if listing.state != "current"]
    if behind:
        return CheckResult("images", "missing", f"not built, or outdated: {', '.join(behind)}", fixes)
    try:
        pinned = load_allowlist(installation.allowlist).images
    except AllowlistError as error:
        first, *more = error.faults
        others = f" (and {len(more)} more)" if more else ""
        return CheckResult("images", "missing", f"{first.where}: {first.what}{others}", fixes)
    built = {listing.image: listing.id for listing in listings if listing.allowlisted}
    if other := [name for name, found in built.items() if name not in pinned or pinned[name].id != found]:
        what = f"the allowlist does not pin what is built: {', '.join(other)}"
        return CheckResult("images", "missing", what, fixes)
    return CheckResult("images", "ok", f"{len(listings)} current, pinned in the allowlist")


def _files(installation: Installation) -> CheckResult:
    """Check the project's manifests and templates by the allowlist, which is valid."""
    allowlist = load_allowlist(installation.allowlist)
    try:
        manifests = load_collector_manifests(installation.root / "collectors" / "manifests", allowlist)
        templates = TemplateCatalog([installation.root / "templates"], allowlist, manifests)
    except OperatorFileError as error:
        faults = error.faults
    else:
        faults = templates.faults()
    if faults:
        first = f"{faults[0].where}: {faults[0].what}"
        what = first if len(faults) == 1 else f"{len(faults)} faults, the first: {first}"
        fix = ".venv/bin/dryrun-local check     (names all)"
        return CheckResult("files", "missing", what, (fix,))
    return CheckResult("files", "ok", f"{len(templates.ids())} templates, {len(manifests.by_name)} manifests")


async def installed_replicas(installation: Installation) -> CheckResult | None:
    """Check that installed replicas have what they stand on; None where there is none."""
    replicas, unread = list(installed(installation)), damaged(installation)
    if not replicas and not unread:
        return None
    lacks, _ = await lacks_of(installation, replicas)
    found = [f"{name} is damaged, or of another version" for name in unread]
    found += [lack.what for lack in chain.from_iterable(lacks.values())]
    if not found:
        return CheckResult("replicas", "ok", f"{len(replicas)}, with all of their images")
    again = [name for name, all_ in lacks.items() if any(lack.remedy == AGAIN for lack in all_)]
    fixes = [
        f".venv/bin/dryrun-local network import FILE --name {name}     (the files that it was made from; "
        "a bundle without --name)"
        for name in sorted({*unread, *again})
    ]
    if lacks.keys() - again:
        fixes.append(".venv/bin/dryrun-local images build")
    return CheckResult("replicas", "missing", "; ".join(found), tuple(fixes))


async def _session_leftovers(engine: EngineView) -> CheckResult:
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


async def _host_rule(installation: Installation) -> CheckResult:
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


def _host_routes() -> list[tuple[str, IPv4Network]]:
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


async def _embedded_postgres(environ: Mapping[str, str]) -> CheckResult:
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


def _disk(check: str, place: Path) -> CheckResult:
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


def _ports() -> CheckResult:
    wanted = (API_PORT, ORCHESTRATOR_PORT)
    taken = [str(port) for port, free in zip(wanted, free_ports(*wanted), strict=True) if port != free]
    if taken:
        return CheckResult(
            "ports", "note", f"{', '.join(taken)} in use; the services pick free ones and print them"
        )
    return CheckResult("ports", "ok", f"{' and '.join(map(str, wanted))} are free")


def _running(installation: Installation) -> CheckResult:
    try:
        with held(installation):
            leftovers = find_leftovers(installation)
    except AlreadyRunningError as error:
        return CheckResult("local services", "note", str(error).split("; ", maxsplit=1)[0])
    if leftovers:
        names = ", ".join(f"{name} (process {pid})" for pid, name in leftovers)
        return CheckResult("local services", "note", f"left by a killed run: {names}; the next run ends them")
    journal = installation.state / "orchestrator"
    if (holder := holder_of(journal / "journal.lock")) is not None:
        what = (
            f"the journal in {journal} is in use by process {holder}, which no run of this installation began"
        )
        fix = f"ps -fp {holder}     (end it, or set DRYRUN_LOCAL_STATE to another folder)"
        return CheckResult("local services", "missing", what, (fix,))
    if (file := journal / "journal.sqlite3").exists():
        try:
            # Immutable: nothing is written beside it.
            with closing(sqlite3.connect(f"{file.as_uri()}?immutable=1", uri=True)) as connection:
                connection.execute("PRAGMA schema_version")
        except sqlite3.Error as error:
            move = f"mv {shlex.quote(str(file))} {shlex.quote(f'{file}.damaged')}"
            fix = f"{move}     (a new journal knows none of its sessions)"
            return CheckResult("local services", "missing", f"the journal {file}: {error}", (fix,))
    return CheckResult("local services", "ok", "not running")
