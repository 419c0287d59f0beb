"""Images as an archive holds them: their contents once each, by digest; compared before the engine has them.

The engine's own archive is written anew on both sides, so that no name, link or folder of a foreign one
reaches an engine.
"""

import io
import json
import re
import tarfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

from pydantic import BaseModel, ConfigDict, Field

from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, read_json
from dryrun_local.images.archive import Archive, ArchiveError, ArchiveWriter
from dryrun_local.images.digest import LABEL

_CONFIG: Final = JsonBounds(size=1024 * 1024, values=20_000, key_length=1024)
PREFIX: Final = "sha256:"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_MOST_LAYERS: Final = 127
"""The engine's own ceiling."""


class ImageEntry(BaseModel):
    """One image, as the file says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    facts: dict[
        Annotated[str, Field(max_length=40)], Annotated[str, Field(pattern=r"^[ -~]+$", max_length=200)]
    ] = Field(default_factory=dict, max_length=50)


BLOBS: Final = "blobs/sha256/"
"""Where an archive keeps configs and layers."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image in the file whose config is checked: the id is the SHA-256 of it, and it names the layers."""

    id: str
    layers: tuple[str, ...]
    digest: str
    volumes: tuple[str, ...]
    facts: Mapping[str, str]

    @property
    def blobs(self) -> tuple[str, ...]:
        """Digests of config and layers."""
        return (self.id, *self.layers)


def place_of(blob: str) -> str:
    """Return the name that a blob has in an archive."""
    return f"{BLOBS}{blob.removeprefix(PREFIX)}"


def copy_blobs(source: BinaryIO, writer: ArchiveWriter, wanted: Mapping[str, str]) -> int:
    """Copy the wanted blobs of `docker save`, each once; return their bytes."""
    left, size = dict(wanted), 0
    with tarfile.open(fileobj=source, mode="r|") as saved:
        for member in saved:
            blob = PREFIX + member.name.rpartition("/")[2]
            content = saved.extractfile(member) if blob in left and member.isreg() else None
            if content is None:
                continue
            stored = writer.add(place_of(blob), content, member.size)
            if PREFIX + stored.sha256 != blob:
                raise ArchiveError(f"the engine wrote {blob} of {left[blob]} with other content")
            size += member.size
            del left[blob]
    if left:
        raise ArchiveError(
            f"the engine wrote {', '.join(sorted(set(left.values())))} in a form that is not known here: "
            "the image store of containerd is not supported"
        )
    return size


def read_config(archive: Archive, path: Path, name: str, entry: ImageEntry) -> StoredImage:
    """Return an image whose config is read, not yet compared with its id. Raises ArchiveError."""
    try:
        config: Any = read_json(archive.read(place_of(entry.id), _CONFIG.size), _CONFIG)
        layers = tuple(config["rootfs"]["diff_ids"])
        settings = config["config"]
        digest = (settings.get("Labels") or {}).get(LABEL, "")
        volumes = tuple(settings.get("Volumes") or ())
    except (OutOfBoundsError, ValueError, KeyError, TypeError, AttributeError):
        raise ArchiveError(f"{path}: the configuration of {name} is not that of an image") from None
    # One that an archive lacks is looked for by the engine, under this name.
    named = all(isinstance(layer, str) and _DIGEST.fullmatch(layer) for layer in layers)
    if not named or len(layers) > _MOST_LAYERS:
        raise ArchiveError(f"{path}: the configuration of {name} names something other than layers")
    return StoredImage(entry.id, layers, str(digest), volumes, entry.facts)


def verify_images(archive: Archive, images: Collection[StoredImage]) -> None:
    """Compare what the archive has of these images with their ids. Raises ArchiveError.

    A layer is a plain tar: an engine would unpack a compressed one before it sees that it is another.
    """
    configs = {image.id for image in images}
    for blob in sorted({blob for image in images for blob in image.blobs}):
        name = place_of(blob)
        if name not in archive.files:
            continue
        for number, chunk in enumerate(archive.chunks(name)):
            if number == 0 and blob not in configs and not _begins_tar(chunk):
                raise ArchiveError(f"{name} is not a plain tar, as every layer of an image is")


def _begins_tar(content: bytes) -> bool:
    head = content[: tarfile.BLOCKSIZE]
    if head == bytes(tarfile.BLOCKSIZE):
        return True
    # What begins as compressed files do may still look like a tar further on.
    return head[257:262] == b"ustar" and b" " <= head[:1] <= b"~" and not head.startswith(b"BZh")


def send_images(archive: Archive, wanted: Mapping[str, StoredImage], sink: BinaryIO) -> None:
    """Write what `docker load` reads: only what was compared, under the names that were wanted.

    A layer that the archive lacks is one that the engine has; it looks such layers up by their digests.
    """
    listing = json.dumps(
        [
            {
                "Config": place_of(image.id),
                "RepoTags": [name],
                "Layers": [place_of(each) for each in image.layers],
            }
            for name, image in wanted.items()
        ]
    ).encode()
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.USTAR_FORMAT) as tar:
        head = tarfile.TarInfo("manifest.json")
        head.size = len(listing)
        tar.addfile(head, io.BytesIO(listing))
        for blob in sorted({blob for image in wanted.values() for blob in image.blobs}):
            if place_of(blob) not in archive.files:
                continue
            head = tarfile.TarInfo(place_of(blob))
            head.size = archive.files[place_of(blob)].size
            content = _Chunks(archive, place_of(blob))
            tar.addfile(head, content)
            content.finish()


class _Chunks(io.RawIOBase):
    """A file of an archive as a stream."""

    def __init__(self, archive: Archive, name: str) -> None:
        self._chunks = archive.chunks(name)
        self._left = b""

    def readable(self) -> bool:
        """Return True, as `io` asks of a stream that can be read."""
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
