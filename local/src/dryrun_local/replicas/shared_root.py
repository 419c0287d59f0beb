"""Builds the image below all stand-ins, and reads once which versions of the products exist in it."""

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dryrun_local.images import programs
from dryrun_local.images.building import ImageEvent
from dryrun_local.images.digest import folder_digests
from dryrun_local.images.folder_build import build_folder, inspect_images
from dryrun_local.images.folders import ImageFolder, load_folders
from dryrun_local.images.manifest import Manifest
from dryrun_local.images.programs import ProgramError
from dryrun_local.machine.files import write_atomically
from dryrun_local.machine.installation import Installation
from dryrun_replica.building.shared_root import (
    IMAGE,
    PARENT,
    SharedRoot,
    read_versions,
    shared_root,
    version_commands,
)
from dryrun_replica.recipes.loading import RecipeBook

RECIPES = Path("images") / "recipes"
ABOUT_MB = 1_600
"""The shared root in 10^6 bytes, with the project's recipes."""
ANSWER_SECONDS = 10.0
"""Longest that a plan waits for the engine: it only says what is there already."""
_PARENT_FOLDER = "servers"
_READING_SECONDS = 120


@dataclass(frozen=True, slots=True)
class BuiltRoot:
    """The shared root as it is in the engine. `digest` covers what it was built from."""

    digest: str
    versions: Mapping[str, str]
    """By recipe."""


def known_versions(installation: Installation) -> dict[str, str]:
    """Return versions by recipe as they were read last; none before the shared root was built."""
    try:
        content = json.loads(_versions_file(installation).read_text(encoding="utf-8"))
        return {str(name): str(version) for name, version in content["versions"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


async def is_built(installation: Installation, book: RecipeBook) -> bool | None:
    """Return whether the engine has a shared root of these recipes; None where it does not say."""
    try:
        found = (await inspect_images([IMAGE], seconds=ANSWER_SECONDS)).get(IMAGE)
    except ProgramError:
        return None
    return found is not None and found.digest == root_digest(installation, book)


def root_digest(installation: Installation, book: RecipeBook) -> str:
    """Return what the shared root of these recipes is known by: all that it is built from."""
    return _digest(installation, shared_root(book, installation.root / RECIPES))


def _digest(installation: Installation, content: SharedRoot) -> str:
    parent = folder_digests(load_folders(installation.root), installation.root)[_PARENT_FOLDER]
    return f"sha256:{content.digest[:32]}{parent[-32:]}"


async def ensure_shared_root(
    installation: Installation, book: RecipeBook, on_event: Callable[[ImageEvent], None]
) -> BuiltRoot:
    """Build the shared root if recipes or its parent changed. Raises ProgramError, ManifestError."""
    content = shared_root(book, installation.root / RECIPES)
    digest = _digest(installation, content)
    present = await inspect_images([IMAGE, PARENT])
    if PARENT not in present:
        # Docker would ask a registry for it.
        raise ProgramError(f"the image {PARENT} is missing; `dryrun-local images build` builds it")
    found = present.get(IMAGE)
    if found is None or found.digest != digest:
        begun = time.monotonic()
        on_event(ImageEvent("stand-ins", IMAGE, "building", number=1, of=1))
        with tempfile.TemporaryDirectory(prefix="dryrun-stand-ins-") as name:
            write_files(Path(name), content.files)
            manifest = Manifest(image=IMAGE, summary="The packages of every recipe.")
            log = installation.logs / "image-stand-ins.log"
            folder = ImageFolder("stand-ins", Path(name), manifest)
            found = await build_folder(folder, digest, installation.root, log)
        seconds = time.monotonic() - begun
        on_event(ImageEvent("stand-ins", IMAGE, "built", seconds, found.size, number=1, of=1))
    else:
        on_event(ImageEvent("stand-ins", IMAGE, "unchanged"))
    return BuiltRoot(digest, await _versions(installation, digest, found.id, book))


async def _versions(
    installation: Installation, digest: str, image_id: str, book: RecipeBook
) -> dict[str, str]:
    commands = version_commands(book)
    path = _versions_file(installation)
    wanted = {"digest": digest, "image": image_id, "commands": commands}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if {name: content.get(name) for name in wanted} == wanted:
            return known_versions(installation)
    except (OSError, ValueError, AttributeError):
        pass  # read again below
    code, output, errors = await programs.run_in_image(
        image_id, "bash", commands, "--user=990", seconds=_READING_SECONDS
    )
    found = read_versions(output, book)
    missing = sorted(set(book.recipes) - set(found))
    if code or missing:
        raise ProgramError(
            f"{IMAGE}: no version could be read of {', '.join(missing) or 'any recipe'}; "
            f"see version.command in images/recipes: {errors.strip() or f'exit code {code}'}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps({**wanted, "versions": found}, indent=2) + "\n")
    return found


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by their relative names."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _versions_file(installation: Installation) -> Path:
    return installation.state / "stand-in-versions.json"
