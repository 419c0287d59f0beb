"""Images in a file: written for a cache, read where they were not built. An operator's act, as a build is.

A file brings contents and nothing else. What a session may choose for an image is always this checkout's
image.yml; an image of another name, or of another folder than this checkout's, is not taken, and the engine
is given nothing before every byte was compared with the image's own id.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

from pydantic import Field, JsonValue, TypeAdapter, ValidationError

from dryrun_contract.faults import first_fault
from dryrun_contract.text import counted
from dryrun_local.images import programs
from dryrun_local.images.archive import (
    Archive,
    ArchiveBounds,
    ArchiveError,
    opened_archive,
    written_archive,
)
from dryrun_local.images.building import pin, pinned_rows
from dryrun_local.images.digest import folder_digests
from dryrun_local.images.folder_build import BuiltImage, allowlist_entry, inspect_images, refuse_volumes
from dryrun_local.images.folders import ImageFolder
from dryrun_local.images.programs import ProgramError
from dryrun_local.images.stored_images import (
    ImageEntry,
    StoredImage,
    copy_blobs,
    place_of,
    read_config,
    send_images,
    verify_images,
)

BOUNDS: Final = ArchiveBounds(files=5_000, file_size=8 * 1024**3 - 1, total=64 * 1024**3)
_SECONDS: Final = 1800.0
"""Limit for the engine to write or read all images, on a slow disk."""

_ABOUT: Final[TypeAdapter[dict[str, ImageEntry]]] = TypeAdapter(
    Annotated[dict[Annotated[str, Field(max_length=200)], ImageEntry], Field(max_length=1_000)]
)


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What came of it, by image."""

    taken: tuple[str, ...]
    here: tuple[str, ...] = ()
    """Already in the engine, and current."""
    outdated: tuple[str, ...] = ()
    """Made from a folder that has changed since; a build makes them."""
    size: int = 0
    """Bytes of what was written or loaded."""


async def export_images(
    path: Path, folders: Mapping[str, ImageFolder], root: Path, allowlist: Path
) -> Exchanged:
    """Write the images of `folders` to `path`. Raises ArchiveError; ProgramError for one not current."""
    _judge_place(path)
    digests = folder_digests(folders, root)
    images = {folder.manifest.image: folder for folder in folders.values()}
    present = await inspect_images(images)
    rows = pinned_rows(allowlist)
    about: dict[str, JsonValue] = {}
    wanted: dict[str, str] = {}
    for name, folder in images.items():
        image = present.get(name)
        row = rows.get(name, {})
        known = not folder.manifest.allowlisted or (image is not None and row.get("id") == image.id)
        if image is None or image.digest != digests[folder.name] or not known:
            raise ProgramError(f"{name} is not built, or its folder has changed; `dryrun-local images build`")
        about[name] = {"id": image.id, "facts": row.get("facts", {})}
        wanted.update(dict.fromkeys((image.id, *image.layers), name))

    def store(source: BinaryIO) -> int:
        with written_archive(path, "images") as writer:
            writer.about = about
            return copy_blobs(source, writer, wanted)

    size = await programs.read_from(["docker", "save", *images], store, seconds=_SECONDS)
    return Exchanged(tuple(images), size=size)


def _judge_place(path: Path) -> None:
    if not path.parent.is_dir():
        raise ArchiveError(f"{path} cannot be written: there is no folder {path.parent}")
    if path.is_dir():
        raise ArchiveError(f"{path} cannot be written: it is a folder; name a file")


async def import_images(
    path: Path, folders: Mapping[str, ImageFolder], root: Path, allowlist: Path, say: Callable[[str], None]
) -> Exchanged:
    """Load the images of `path` that this machine lacks, and pin them. Raises ArchiveError, ProgramError.

    Refused, before the engine is given anything: what names an image that no folder of this checkout builds;
    what is not, byte for byte, the image that its id says; and another image than the one that the allowlist
    pins. An image whose folder has changed since is left out.
    """
    images = {folder.manifest.image: folder for folder in folders.values()}
    digests = folder_digests(folders, root)
    present = await inspect_images(images)
    with opened_archive(path, "images", BOUNDS) as archive:
        stored = _read_images(archive, path)
        if strange := sorted(stored.keys() - images.keys()):
            raise ArchiveError(f"{path} has images that no folder of this checkout builds: {_few(strange)}")
        here = tuple(name for name in stored if _is_current(present.get(name), digests[images[name].name]))
        outdated = tuple(
            name
            for name, image in stored.items()
            if name not in here and image.digest != digests[images[name].name]
        )
        wanted = {name: stored[name] for name in stored if name not in here and name not in outdated}
        # What is pinned and there is from a folder that has changed since: a build would replace it too.
        rows = {name: row for name, row in pinned_rows(allowlist).items() if name not in present}
        _require_identities(path, wanted, images, rows)
        loaded = await load_images(archive, wanted, say)
        blobs = {blob for image in wanted.values() for blob in image.blobs}
        size = sum(archive.files[place_of(blob)].size for blob in blobs)
    pin(
        allowlist,
        {
            name: allowlist_entry(images[name].manifest, loaded[name], image.facts)
            for name, image in wanted.items()
            if images[name].manifest.allowlisted
        },
    )
    return Exchanged(tuple(wanted), here, outdated, size)


async def load_images(
    archive: Archive, wanted: Mapping[str, StoredImage], say: Callable[[str], None]
) -> Mapping[str, BuiltImage]:
    """Give the engine images of an archive, and return them as it has them then.

    Raises ArchiveError before the engine is given anything, and ProgramError.
    """
    if not wanted:
        return {}
    say(f"Comparing {counted(len(wanted), 'image')} with their ids")
    await asyncio.to_thread(verify_images, archive, wanted.values())
    say("The engine loads them")
    await programs.write_to(
        ["docker", "load", "--quiet"], lambda sink: send_images(archive, wanted, sink), seconds=_SECONDS
    )
    loaded = await inspect_images(wanted)
    for name, image in wanted.items():
        found = loaded.get(name)
        if found is None or found.id != image.id:
            raise ProgramError(f"the engine loaded {name} as {found and found.id}, not as {image.id}")
    return loaded


def _is_current(image: BuiltImage | None, digest: str) -> bool:
    return image is not None and image.digest == digest


def _require_identities(
    path: Path,
    wanted: Mapping[str, StoredImage],
    images: Mapping[str, ImageFolder],
    rows: Mapping[str, Mapping[str, Any]],
) -> None:
    faults = []
    for name, image in wanted.items():
        pinned = rows.get(name, {}).get("id", image.id)
        facts = images[name].manifest.facts
        if pinned != image.id:
            faults.append(f"{name} is {image.id}, and the allowlist pins {pinned}; build it here instead")
        if images[name].manifest.allowlisted and facts.keys() != image.facts.keys():
            faults.append(f"{name} has the facts {_few(image.facts)}, and its folder {_few(facts)}")
        if image.volumes:
            faults.append(f"{name}: {refuse_volumes(image.volumes)}")
    if faults:
        raise ArchiveError("\n  ".join([f"{path} was not imported:", *faults]))


def _few(names: Iterable[str]) -> str:
    found = sorted(names)
    return ", ".join(found[:10]) + (f" and {len(found) - 10} more" if len(found) > 10 else "") or "none"


def _read_images(archive: Archive, path: Path) -> dict[str, StoredImage]:
    """Return every image of the file, with its config read and compared with its id."""
    try:
        entries = _ABOUT.validate_python(archive.about)
    except ValidationError as error:
        raise ArchiveError(f"{path}: about: {first_fault(error, 'the whole')}") from None
    stored = {name: read_config(archive, path, name, entry) for name, entry in entries.items()}
    needed = {place_of(blob) for image in stored.values() for blob in image.blobs}
    if needed != archive.files.keys():
        raise ArchiveError(f"{path} does not have exactly the layers of its images; export them again")
    for name, file in archive.files.items():
        if not name.endswith(file.sha256):
            raise ArchiveError(f"{path}: {name} has another SHA-256 than its name says; export again")
    return stored
