"""Checks of this installation: its environment, images, files, replicas and running services."""

import shlex
import sqlite3
import sys
from contextlib import closing
from itertools import chain

from dryrun_local.doctor.check_result import CheckResult
from dryrun_local.images.building import list_images
from dryrun_local.images.folders import ManifestError
from dryrun_local.images.programs import ProgramError
from dryrun_local.machine.errors import AlreadyRunningError
from dryrun_local.machine.installation import Installation, from_here
from dryrun_local.machine.lock import held, holder_of
from dryrun_local.replicas.condition import AGAIN, lacks_of
from dryrun_local.replicas.installed import damaged, installed
from dryrun_local.system.processes import find_leftovers
from dryrun_orchestrator.catalog.allowlist import AllowlistError, load_allowlist
from dryrun_orchestrator.catalog.collector_manifests import load_collector_manifests
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.catalog.templates import TemplateCatalog


def python_environment(installation: Installation) -> CheckResult:
    """Check that the commands of this environment are installed."""
    version = ".".join(map(str, sys.version_info[:3]))
    missing = [
        name
        for name in ("dryrun", "dryrun-orchestrator", "approval-api")
        if not installation.program(name).exists()
    ]
    if missing:
        return CheckResult("Python", "missing", f"{version}, without {', '.join(missing)}", ("make demo",))
    return CheckResult("Python", "ok", f"{version} in {from_here(installation.root / '.venv')}")


async def images(installation: Installation) -> CheckResult:
    """Check that all images are built, and pinned in the allowlist."""
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


def files(installation: Installation) -> CheckResult:
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


def local_services(installation: Installation) -> CheckResult:
    """Check that nothing of an earlier run is in the way, and that the journal can be read."""
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
