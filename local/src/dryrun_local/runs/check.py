"""Checks images, collector manifests and templates without an engine: all faults of all files at once."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from dryrun_contract.problem import Fault
from dryrun_contract.text import printable
from dryrun_local.images.folders import ImageFolder, ManifestError, load_folders, place_of
from dryrun_local.images.needed import draft_allowlist
from dryrun_local.machine.added_folders import (
    MANIFESTS,
    READERS,
    TEMPLATES,
    AddedFolderError,
    sources,
)
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas.condition import AGAIN, lacks_of_files
from dryrun_local.replicas.installed import damaged, installed
from dryrun_local.terminal.screen import Screen
from dryrun_orchestrator.catalog.allowlist import Allowlist
from dryrun_orchestrator.catalog.collector_manifests import (
    CollectorManifests,
    CollectorManifestsError,
    load_collector_manifests,
)
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.catalog.templates import TemplateInvalidError, load_template


def check(installation: Installation, screen: Screen) -> int:
    """Print every fault by place; return 0 when there is none, else 1. Nothing has to be built before."""
    faults = list(find_faults(installation))
    for fault in faults:
        screen.say(f"{printable(fault.where, limit=1000)}: {printable(fault.what, limit=2000)}")
    if faults:
        screen.warn(f"{len(faults)} fault{'s' if len(faults) > 1 else ''}")
        return 1
    counts = ", ".join(
        f"{number} {what}"
        for number, what in (
            (len(load_folders(installation.root, added=installation.added)), "images"),
            (len(sources(installation, MANIFESTS)), "collector manifests"),
            (len(sources(installation, READERS)), "reader tables"),
            (len(sources(installation, TEMPLATES)), "templates"),
        )
    )
    screen.done(f"No fault in {counts}")
    return 0


def find_faults(installation: Installation) -> Iterator[Fault]:
    """Yield the faults of images, then of reader tables, collector manifests, templates and replicas.

    Of replicas it is whether rows and templates are there; what the engine has is up to the doctor.
    """
    yield from _faults_of_sources(installation)
    for name in damaged(installation):
        yield Fault(where=f"replica {name}", what=f"is damaged, or of another version; {AGAIN}")
    for replica in installed(installation):
        for lack in lacks_of_files(installation, replica):
            yield Fault(where=f"replica {replica.name}", what=str(lack))


def _faults_of_sources(installation: Installation) -> Iterator[Fault]:
    root = installation.root
    folders: Mapping[str, ImageFolder]
    are_valid = True
    try:
        folders = load_folders(root, added=installation.added)
    except ManifestError as error:
        folders, are_valid = error.found, False
        for problem in error.problems:
            where, _, what = problem.partition(": ")
            yield Fault(where=where, what=what)
    with tempfile.TemporaryDirectory(prefix="dryrun-check-") as name:
        draft = Path(name)
        try:
            allowlist = draft_allowlist(folders, installation.state)
            copied = {
                MANIFESTS: _copied(installation, MANIFESTS, draft / MANIFESTS),
                READERS: _copied(installation, READERS, draft / MANIFESTS / READERS),
                TEMPLATES: _copied(installation, TEMPLATES, draft / TEMPLATES),
            }
        except OperatorFileError as error:
            # Grants above the ceilings were said above, with the image's own place; rows of what is installed
            # were not.
            rows = "; ".join(f"{fault.where}: {fault.what}" for fault in error.faults)
            why = f"the allowlist would be invalid: {rows}" if are_valid else "they need valid images"
            yield Fault(where="manifests and templates", what=f"were not checked: {why}")
            return
        except AddedFolderError as error:
            yield Fault(where="added folders", what=str(error))
            return
        for fault in _faults_of_files(draft, allowlist):
            part, _, rest = fault.where.partition("/")
            file, colon, line = rest.partition(":")
            path = copied.get(part, {}).get(file)
            yield (
                fault
                if path is None
                else Fault(where=f"{place_of(path, root)}{colon}{line}", what=fault.what)
            )


def _faults_of_files(draft: Path, allowlist: Allowlist) -> Iterator[Fault]:
    manifests: CollectorManifests | None = None
    try:
        manifests = load_collector_manifests(draft / MANIFESTS, allowlist)
    except CollectorManifestsError as error:
        yield from error.faults
    if manifests is None:
        yield Fault(where=TEMPLATES, what="were not checked: they need valid collector manifests")
        return
    for path in sorted((draft / TEMPLATES).iterdir()):
        try:
            load_template(path, allowlist, manifests)
        except TemplateInvalidError as error:
            yield from error.faults


def _copied(installation: Installation, part: str, target: Path) -> dict[str, Path]:
    target.mkdir()
    found = sources(installation, part)
    for name, path in found.items():
        shutil.copyfile(path, target / name)
    return found
