"""Finds what an installed replica lacks since its import: rows of the allowlist, templates, images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dryrun_contract.text import counted, printable
from dryrun_local.images.allowlist_rows import rows_in
from dryrun_local.images.folder_build import inspect_images
from dryrun_local.images.programs import ProgramError
from dryrun_local.machine.installation import Installation
from dryrun_local.replicas.installed import Replica, ReplicaError
from dryrun_local.replicas.needed_images import not_as_pinned
from dryrun_local.replicas.shared_root import ANSWER_SECONDS
from dryrun_orchestrator.catalog.allowlist import STAND_IN, who_builds
from dryrun_orchestrator.catalog.operator_file import UnreadableFileError, read_regular_file
from dryrun_orchestrator.catalog.yaml_reader import read_yaml
from dryrun_orchestrator.catalog.yaml_tree import FaultList

AGAIN = "import the network again"
_MOST_NAMED = 3
"""A network may have hundreds of images."""


@dataclass(frozen=True, slots=True)
class Lack:
    """What a replica lacks, and what brings it back, as clauses of one sentence."""

    what: str
    remedy: str = AGAIN

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


def lacks_of_files(installation: Installation, replica: Replica) -> Iterator[Lack]:
    """Yield what a replica lacks of rows and files."""
    name = printable(replica.name)
    known = rows_in(installation.allowlist) or {}
    if unknown := sorted(images_of(replica) - known.keys()):
        yield Lack(f"the allowlist has no row of {_images(name, unknown)}", _who_brings(unknown))
    folder = installation.replica_templates
    if gone := [each for each in replica.templates if not (folder / f"{each}.yml").is_file()]:
        count = counted(len(gone), f"template of {name} is", f"templates of {name} are")
        yield Lack(f"{count} missing: {_named(gone)}")
    there = [each for each in replica.templates if each not in gone]
    if broken := [each for each in there if not _has_services(folder / f"{each}.yml")]:
        count = counted(len(broken), f"template of {name} is", f"templates of {name} are")
        yield Lack(f"{count} damaged: {_named(broken)}")


def _has_services(template: Path) -> bool:
    """Whether a template reads to its end and names services, which are judged at a start."""
    faults = FaultList(template.name)
    try:
        document = read_yaml(read_regular_file(template), faults)
    except UnreadableFileError:
        return False
    return document is not None and not faults.faults and "services" in document.entries()


def require_files(installation: Installation, replica: Replica) -> None:
    """Raise ReplicaError with everything that `lacks_of_files` finds."""
    if lacks := [str(lack) for lack in lacks_of_files(installation, replica)]:
        raise ReplicaError("\n".join(lacks))


async def lacks_of(
    installation: Installation, replicas: Sequence[Replica]
) -> tuple[dict[str, list[Lack]], bool]:
    """Return by name what replicas lack, and whether the engine answered: without it, only files are known.

    A replica that lacks nothing is left out.
    """
    known = rows_in(installation.allowlist) or {}
    rows = {image: known[image] for each in replicas for image in images_of(each) if image in known}
    try:
        there = await inspect_images(sorted(rows), seconds=ANSWER_SECONDS) if rows else {}
    except ProgramError:
        gone, answered = set[str](), False
    else:
        gone, answered = set(not_as_pinned(rows, there)), True
    found = {}
    for replica in replicas:
        lacks = list(lacks_of_files(installation, replica))
        if images := sorted(images_of(replica) & gone):
            name = printable(replica.name)
            lacks.append(Lack(f"the engine lacks {_images(name, images)}", _who_brings(images)))
        if lacks:
            found[replica.name] = lacks
    return found, answered


def images_of(replica: Replica) -> set[str]:
    """Return the images that hosts of a replica stand on: its stand-ins, and any of the project."""
    of_host = replica.card.get("images")
    of_hosts = map(str, of_host.values()) if isinstance(of_host, dict) else ()
    return {*replica.images, *of_hosts}


def _images(name: str, images: Sequence[str]) -> str:
    return f"{counted(len(images), 'image')} of {name}: {_named(images)}"


def _named(texts: Sequence[str]) -> str:
    return printable(", ".join(texts[:_MOST_NAMED])) + (" …" if len(texts) > _MOST_NAMED else "")


def _who_brings(images: Sequence[str]) -> str:
    """Return what brings images back; an import builds none of the project's."""
    are_of_project = not any(image.startswith(STAND_IN) for image in images)
    return who_builds(images[0]) if are_of_project else AGAIN
