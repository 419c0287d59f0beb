"""Folders of one's own beside the project's: their files, gathered where the orchestrator reads.

The orchestrator reads one folder of each and refuses links, so files are copied, and copied again when they
change.
"""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from dryrun_local.machine.errors import LocalError
from dryrun_local.machine.files import write_atomically
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import is_held

TEMPLATES = "templates"
MANIFESTS = "manifests"
READERS = "readers"
_OF_THE_PROJECT = {
    TEMPLATES: "templates",
    MANIFESTS: "collectors/manifests",
    READERS: "collectors/manifests/readers",
}
_PARTS = ("images", *_OF_THE_PROJECT)
GATHER_SECONDS = 2.0
MAX_FILE_BYTES = 1024 * 1024
"""Above what the orchestrator reads, which then says so."""


class AddedFolderError(LocalError):
    """An added folder is missing, empty, or has a file of a name that is taken."""


def require_folders(installation: Installation) -> None:
    """Raise AddedFolderError for a folder that holds nothing to add."""
    for folder in installation.added:
        if not folder.is_dir():
            what = "is a file, not a folder" if folder.exists() else "does not exist"
            raise AddedFolderError(
                f"{folder} {what}; --add takes a folder that has one of: {', '.join(_PARTS)}"
            )
        if not any((folder / part).is_dir() for part in _PARTS):
            raise AddedFolderError(
                f"{folder} has none of the folders {', '.join(_PARTS)}; nothing can be added from it"
            )


def sources(installation: Installation, part: str) -> dict[str, Path]:
    """Return the files of one part by name. Raises AddedFolderError when two share one."""
    found: dict[str, Path] = {}
    for path in _files(installation, part):
        if path.name in found:
            raise AddedFolderError(f"{path} has the name of {found[path.name]}; rename one of them")
        found[path.name] = path
    if part == MANIFESTS and installation.collectors is not None:
        return {name: path for name, path in found.items() if path.stem in installation.collectors}
    return found


def template_file(installation: Installation, template_id: str) -> Path | None:
    """Return the file of a template: the project's, an added folder's, or an imported network's.

    The id may be a hostile file's word: it is looked up among the names, and never made a path.
    """
    files = {path.name: path for path in installation.replica_templates.glob("*.yml")}
    return (files | sources(installation, TEMPLATES)).get(f"{template_id}.yml")


def gather(installation: Installation) -> bool:
    """Copy all parts but images where the orchestrator reads them; return whether anything changed.

    Does nothing where the orchestrator reads the project's own folders. Raises AddedFolderError before
    anything is copied.
    """
    if not installation.added and installation.collectors is None:
        return False
    require_folders(installation)
    wanted = {part: sources(installation, part) for part in _OF_THE_PROJECT}
    changed = False
    targets = {MANIFESTS: installation.manifests, READERS: installation.manifests / READERS}
    if installation.added:
        targets[TEMPLATES] = installation.templates
    for part, target in targets.items():
        target.mkdir(parents=True, exist_ok=True)
        for old in {path for path in target.iterdir() if path.is_file()} - {
            target / name for name in wanted[part]
        }:
            old.unlink()
            changed = True
        for name, path in wanted[part].items():
            changed = _copy(path, target / name) or changed
    return changed


def note_running(installation: Installation) -> None:
    """Write down which folders the services use, for `added_by_running` in another process."""
    text = json.dumps([str(folder) for folder in installation.added])
    write_atomically(installation.state / "added.json", text)


def added_by_running(installation: Installation) -> set[Path]:
    """Return the added folders of services that run now."""
    if not is_held(installation):
        return set()
    try:
        folders = json.loads((installation.state / "added.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return {folder for folder in map(Path, folders) if folder.is_dir()}


async def keep_gathered(installation: Installation, say: Callable[[str], None]) -> None:
    """Gather again every two seconds, until cancelled; says once what stands in the way."""
    said = ""
    while installation.added:
        await asyncio.sleep(GATHER_SECONDS)
        try:
            if gather(installation):
                say("Took over changed templates or manifests")
            said = ""
        except (LocalError, OSError) as error:
            if str(error) != said:
                say(f"Changes are not taken over: {error}")
            said = str(error)


def _files(installation: Installation, part: str) -> Iterator[Path]:
    project = installation.root / _OF_THE_PROJECT[part]
    for folder in (project, *(folder / part for folder in installation.added)):
        if folder.is_dir():
            yield from sorted(path for path in folder.iterdir() if path.suffix == ".yml")


def _copy(path: Path, target: Path) -> bool:
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES)
    if target.is_file() and target.read_bytes() == content:
        return False
    draft = target.with_name(f".{target.name}.new")
    draft.write_bytes(content)
    shutil.move(draft, target)
    return True
