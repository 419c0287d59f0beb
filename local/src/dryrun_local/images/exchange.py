"""Images in a file: written for a cache, read where they were not built. An operator's act, as a build is.

A file brings contents and nothing else. What a session may choose for an image is always this checkout's
image.yml; an image of another name, or of another folder than this checkout's, is not taken, and the engine
is given nothing before every byte was compared with the image's own id.
"""

import asyncio
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, read_json
from dryrun_local.images import programs
from dryrun_local.images.archive import (
    Archive,
    ArchiveBounds,
    ArchiveError,
    ArchiveWriter,
    opened_archive,
    written_archive,
)
from dryrun_local.images.building import pin, pinned_rows
from dryrun_local.images.digest import LABEL, folder_digests
from dryrun_local.images.folder_build import BuiltImage, allowlist_entry, inspect_images, refuse_volumes
from dryrun_local.images.manifest import ImageFolder
from dryrun_local.images.programs import ProgramError

BOUNDS: Final = ArchiveBounds(files=5_000, file_size=8 * 1024**3 - 1, total=64 * 1024**3)
_SECONDS: Final = 1800.0
"""Limit for the engine to write or read all images, on a slow disk."""
_CONFIG: Final = JsonBounds(size=1024 * 1024, values=20_000, key_length=1024)
_PREFIX: Final = "sha256:"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Entry(_Part):
    """One image, as the file says."""

    id: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    facts: dict[
        Annotated[str, Field(max_length=40)], Annotated[str, Field(pattern=r"^[ -~]+$", max_length=200)]
    ] = Field(default_factory=dict, max_length=50)


_ABOUT: Final[TypeAdapter[dict[str, _Entry]]] = TypeAdapter(
    Annotated[dict[Annotated[str, Field(max_length=200)], _Entry], Field(max_length=1_000)]
)


@dataclass(frozen=True, slots=True)
class _Stored:
    """An image in the file whose config is checked: the id is the SHA-256 of it, and it names the layers."""

    id: str
    layers: tuple[str, ...]
    digest: str
    volumes: tuple[str, ...]
    facts: Mapping[str, str]

    @property
    def blobs(self) -> tuple[str, ...]:
        return (self.id, *self.layers)


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
    """Write the images of `folders` to `path`. Raises ProgramError for one that is not current."""
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
            return _store(source, writer, wanted)

    size = await programs.read_from(["docker", "save", *images], store, seconds=_SECONDS)
    return Exchanged(tuple(images), size=size)


def _store(source: BinaryIO, writer: ArchiveWriter, wanted: Mapping[str, str]) -> int:
    """Copy the wanted blobs of `docker save`, each once; return their bytes."""
    left, size = dict(wanted), 0
    with tarfile.open(fileobj=source, mode="r|") as saved:
        for member in saved:
            blob = _PREFIX + member.name.rpartition("/")[2]
            content = saved.extractfile(member) if blob in left and member.isreg() else None
            if content is None:
                continue
            stored = writer.add(_place(blob), content, member.size)
            if _PREFIX + stored.sha256 != blob:
                raise ArchiveError(f"the engine wrote {blob} of {left[blob]} with another content")
            size += member.size
            del left[blob]
    if left:
        raise ArchiveError(
            f"the engine wrote {', '.join(sorted(set(left.values())))} in a form that is not known here: "
            "the image store of containerd is not supported"
        )
    return size


def _place(blob: str) -> str:
    return f"blobs/sha256/{blob.removeprefix(_PREFIX)}"


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
        say(f"Comparing {len(wanted)} images with their ids")
        blobs = {blob for image in wanted.values() for blob in image.blobs}
        await asyncio.to_thread(archive.verify, [_place(blob) for blob in sorted(blobs)])
        if wanted:
            say("The engine loads them")
            await programs.write_to(
                ["docker", "load", "--quiet"], lambda sink: _send(archive, wanted, sink), seconds=_SECONDS
            )
        size = sum(archive.files[_place(blob)].size for blob in blobs)
    loaded = await inspect_images(images)
    for name, image in wanted.items():
        found = loaded.get(name)
        if found is None or found.id != image.id:
            raise ProgramError(f"the engine loaded {name} as {found and found.id}, not as {image.id}")
    pin(
        allowlist,
        {
            name: allowlist_entry(images[name].manifest, loaded[name], image.facts)
            for name, image in wanted.items()
            if images[name].manifest.allowlisted
        },
    )
    return Exchanged(tuple(wanted), here, outdated, size)


def _is_current(image: BuiltImage | None, digest: str) -> bool:
    return image is not None and image.digest == digest


def _require_identities(
    path: Path,
    wanted: Mapping[str, _Stored],
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
        raise ArchiveError("\n  ".join([f"{path} was not taken:", *faults]))


def _few(names: Iterable[str]) -> str:
    found = sorted(names)
    return ", ".join(found[:10]) + (f" and {len(found) - 10} more" if len(found) > 10 else "") or "none"


def _read_images(archive: Archive, path: Path) -> dict[str, _Stored]:
    """Return every image of the file, with its config read and compared with its id."""
    try:
        entries = _ABOUT.validate_python(archive.about)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))[:200] or "the whole"
        raise ArchiveError(f"{path}: about: {where}: {first['msg']}") from None
    stored = {name: _read_config(archive, path, name, entry) for name, entry in entries.items()}
    needed = {_place(blob) for image in stored.values() for blob in image.blobs}
    if needed != archive.files.keys():
        raise ArchiveError(f"{path} has not exactly the layers of its images; export them again")
    for name, file in archive.files.items():
        if not name.endswith(file.sha256):
            raise ArchiveError(f"{path}: {name} has another SHA-256 than its name says; export again")
    return stored


def _read_config(archive: Archive, path: Path, name: str, entry: _Entry) -> _Stored:
    try:
        config: Any = read_json(archive.read(_place(entry.id), _CONFIG.size), _CONFIG)
        layers = tuple(config["rootfs"]["diff_ids"])
        settings = config["config"]
        digest = (settings.get("Labels") or {}).get(LABEL, "")
        volumes = tuple(settings.get("Volumes") or ())
    except (OutOfBoundsError, ValueError, KeyError, TypeError, AttributeError):
        raise ArchiveError(f"{path}: the configuration of {name} is none of an image") from None
    if not all(isinstance(layer, str) and layer.startswith(_PREFIX) for layer in layers):
        raise ArchiveError(f"{path}: the configuration of {name} names something else than layers")
    return _Stored(entry.id, layers, str(digest), volumes, entry.facts)


def _send(archive: Archive, wanted: Mapping[str, _Stored], sink: BinaryIO) -> None:
    """Write what `docker load` reads: only what was compared, under the names that were wanted."""
    listing = json.dumps(
        [
            {
                "Config": _place(image.id),
                "RepoTags": [name],
                "Layers": [_place(each) for each in image.layers],
            }
            for name, image in wanted.items()
        ]
    ).encode()
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.USTAR_FORMAT) as tar:
        head = tarfile.TarInfo("manifest.json")
        head.size = len(listing)
        tar.addfile(head, io.BytesIO(listing))
        for blob in sorted({blob for image in wanted.values() for blob in image.blobs}):
            head = tarfile.TarInfo(_place(blob))
            head.size = archive.files[_place(blob)].size
            content = _Chunks(archive, _place(blob))
            tar.addfile(head, content)
            content.finish()


class _Chunks(io.RawIOBase):
    """A file of an archive as a stream."""

    def __init__(self, archive: Archive, name: str) -> None:
        self._chunks = archive.chunks(name)
        self._left = b""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def finish(self) -> None:
        """Raise ArchiveError when what was read has changed since it was compared."""
        for _ in self._chunks:
            pass

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, fewer only at the end."""
        while size < 0 or len(self._left) < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._left += chunk
        end = len(self._left) if size < 0 else size
        answer, self._left = self._left[:end], self._left[end:]
        return answer
