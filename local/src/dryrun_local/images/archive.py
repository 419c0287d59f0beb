"""Reads and writes archives that travel between machines: a tar of plain files; its index, last, names each.

What an archive holds is hostile until it is verified. A reader accepts plain files with plain names within
its bounds, each as long as the index says and with its SHA-256; no link, folder, device or extended header.
"""

import hashlib
import json
import os
import re
import stat
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, BinaryIO, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, read_model
from dryrun_contract.faults import first_fault
from dryrun_local.machine.errors import LocalError

INDEX: Final = "index.json"
VERSION: Final = 1
_FORMAT: Final = "dryrun-archive"
_BLOCK: Final = tarfile.BLOCKSIZE
_CHUNK: Final = 1024 * 1024
# Without a prefix field a name has 100 bytes; one that needs more would need an extended header.
_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,79}){0,7}$"
_LONGEST_NAME: Final = 100
_LARGEST_FILE: Final = 8**11 - 1
"""What the size field of a plain header can say."""

type Kind = Literal["images", "network"]


class ArchiveError(LocalError):
    """The file is not such an archive, is damaged, or exceeds a bound; none of it was used."""


@dataclass(frozen=True, slots=True)
class ArchiveBounds:
    """Ceilings of an archive that is read: number of files, bytes of one, of all, and of the index."""

    files: int
    file_size: int
    total: int
    index_size: int = 4 * 1024 * 1024


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoredFile(_Part):
    """One file of an archive: its bytes, and their SHA-256 in hexadecimal."""

    size: int = Field(ge=0, le=_LARGEST_FILE)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class _Index(_Part):
    format: Literal["dryrun-archive"]
    version: Literal[1]
    kind: str = Field(max_length=40)
    about: JsonValue
    files: dict[Annotated[str, Field(pattern=_NAME, max_length=_LONGEST_NAME)], StoredFile]


class ArchiveWriter:
    """Writes one archive; equal content gives equal bytes."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._files: dict[str, StoredFile] = {}
        self.about: JsonValue = None
        """What the archive is about; written with the index."""

    def add(self, name: str, source: IO[bytes], size: int) -> StoredFile:
        """Write `size` bytes of `source` as file `name`. Raises ArchiveError when it has fewer."""
        if re.fullmatch(_NAME, name) is None or len(name) > _LONGEST_NAME or name in {*self._files, INDEX}:
            raise ArchiveError(f"{name!r} cannot be the name of one more file of an archive")
        digest = hashlib.sha256()
        self._target.write(_header(name, size))
        left = size
        while left:
            chunk = source.read(min(_CHUNK, left))
            if not chunk:
                raise ArchiveError(f"{name} ended {left} bytes before its size")
            digest.update(chunk)
            self._target.write(chunk)
            left -= len(chunk)
        self._target.write(_padding(size))
        stored = self._files[name] = StoredFile(size=size, sha256=digest.hexdigest())
        return stored

    def end(self, kind: Kind) -> None:
        """Write the index and the end of the tar."""
        index = _Index(format=_FORMAT, version=VERSION, kind=kind, about=self.about, files=self._files)
        text = json.dumps(index.model_dump(mode="json"), indent=1, sort_keys=True).encode() + b"\n"
        self._target.write(_header(INDEX, len(text)) + text + _padding(len(text)) + bytes(2 * _BLOCK))


@contextmanager
def written_archive(path: Path, kind: Kind) -> Iterator[ArchiveWriter]:
    """Write an archive in the block; `path` has it, whole, once the block has ended without an error."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("xb") as target:
            writer = ArchiveWriter(target)
            yield writer
            writer.end(kind)
            target.flush()
            os.fsync(target.fileno())
        draft.replace(path)
    except OSError as error:
        raise ArchiveError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


class Archive:
    """An open archive with a checked index. Contents are checked as they are read."""

    def __init__(self, file: BinaryIO, place: str, index: _Index, offsets: Mapping[str, int]) -> None:
        self._file = file
        self._place = place
        self._offsets = offsets
        self.about = index.about
        """What its writer said of it; hostile."""
        self.files: Mapping[str, StoredFile] = index.files

    def sha256(self) -> str:
        """Return the SHA-256 of the whole open file, in hexadecimal."""
        digest, at = hashlib.sha256(), 0
        while True:
            self._file.seek(at)
            chunk = self._file.read(_CHUNK)
            if not chunk:
                return digest.hexdigest()
            digest.update(chunk)
            at += len(chunk)

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield a file in pieces. Raises ArchiveError, after the last one, when its SHA-256 differs."""
        stored = self.files[name]
        digest = hashlib.sha256()
        left, at = stored.size, self._offsets[name]
        while left:
            self._file.seek(at)
            chunk = self._file.read(min(_CHUNK, left))
            if not chunk:
                raise ArchiveError(f"{self._place} ended in {name}: it was changed while it was read")
            digest.update(chunk)
            left -= len(chunk)
            at += len(chunk)
            yield chunk
        if digest.hexdigest() != stored.sha256:
            raise ArchiveError(
                f"{self._place} is damaged: {name} does not have the SHA-256 of the index; make it again"
            )

    def read(self, name: str, limit: int) -> bytes:
        """Return a file of at most `limit` bytes. Raises ArchiveError."""
        stored = self.files.get(name)
        if stored is None or stored.size > limit:
            what = "is missing" if stored is None else f"has more than {limit:,} bytes"
            raise ArchiveError(f"{self._place}: {name} {what}")
        return b"".join(self.chunks(name))


def first_name(path: Path) -> str | None:
    """Return the name of the first file of a tar, as every archive is one; None for any other file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        block = os.read(descriptor, _BLOCK)
        return block[:_LONGEST_NAME].rstrip(b"\0").decode("latin-1") if block[257:262] == b"ustar" else None
    finally:
        os.close(descriptor)


@contextmanager
def opened_archive(path: Path, kind: Kind, bounds: ArchiveBounds) -> Iterator[Archive]:
    """Open an archive of a kind, with its index checked against the bounds and against what is there.

    Raises ArchiveError. Reads heads and index only; the file stays open in the block, so that what was
    verified is what is read later, also when another file takes its name.
    """
    try:
        # Not blocking: a pipe without a writer would hold its reader for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error.strerror or error}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ArchiveError(f"{path} is not a file")
    with os.fdopen(descriptor, "rb") as file:
        heads = _heads(file, str(path), bounds)
        yield _checked(file, str(path), kind, bounds, heads)


def _heads(file: BinaryIO, place: str, bounds: ArchiveBounds) -> dict[str, tuple[int, int]]:
    """Return offset and size of each file, in order."""
    found: dict[str, tuple[int, int]] = {}
    length = os.fstat(file.fileno()).st_size
    at = together = 0
    while True:
        file.seek(at)
        block = file.read(_BLOCK)
        if block == bytes(_BLOCK):
            return found
        name, size = _read_header(block, place, at)
        together += size
        if name in found:
            raise ArchiveError(f"{place} has {name} twice")
        if len(found) > bounds.files or together > bounds.total:
            raise ArchiveError(
                f"{place} has more than {bounds.files:,} files or {bounds.total:,} bytes; valid ones do not"
            )
        found[name] = (at + _BLOCK, size)
        at += _BLOCK + size + len(_padding(size))
        if at > length:
            raise ArchiveError(f"{place} is cut off in {name}; copy or make it again")


def _read_header(block: bytes, place: str, at: int) -> tuple[str, int]:
    try:
        head = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.HeaderError, ValueError):
        raise ArchiveError(
            f"{place} is not one of dryrun-local's archives, or cut off at byte {at:,}"
        ) from None
    plain = head.type == tarfile.REGTYPE and re.fullmatch(_NAME, head.name) is not None
    if not plain or head.size < 0 or len(head.name) > _LONGEST_NAME:
        raise ArchiveError(f"{place} has something other than plain files at byte {at:,}; nothing was used")
    return head.name, head.size


def _checked(
    file: BinaryIO, place: str, kind: Kind, bounds: ArchiveBounds, heads: dict[str, tuple[int, int]]
) -> Archive:
    if next(reversed(heads), "") != INDEX:
        raise ArchiveError(f"{place} does not end with {INDEX}: it is another archive, or cut off")
    offset, size = heads.pop(INDEX)
    if size > bounds.index_size:
        raise ArchiveError(f"{place}: {INDEX} has more than {bounds.index_size:,} bytes")
    file.seek(offset)
    ceilings = JsonBounds(size=bounds.index_size, values=20 * bounds.files + 10_000)
    try:
        index = read_model(_Index, file.read(size), ceilings)
    except OutOfBoundsError as error:
        raise ArchiveError(f"{place}: {INDEX} is {error}") from None
    except ValidationError as error:
        raise ArchiveError(f"{place}: {INDEX}: {first_fault(error, 'the whole')}") from None
    if index.kind != kind:
        raise ArchiveError(f"{place} is an archive of another kind ({index.kind!r}), not {kind!r}")
    said = {name: stored.size for name, stored in index.files.items()}
    if said != {name: size for name, (_, size) in heads.items()}:
        raise ArchiveError(f"{place} is damaged: its files are not those of its {INDEX}; make it again")
    too_large = next((name for name, size in said.items() if size > bounds.file_size), None)
    if too_large is not None:
        raise ArchiveError(
            f"{place}: {too_large} has more than {bounds.file_size:,} bytes; a valid one does not"
        )
    return Archive(file, place, index, {name: offset for name, (offset, _) in heads.items()})


def _header(name: str, size: int) -> bytes:
    if size > _LARGEST_FILE:
        raise ArchiveError(f"{name} is too large for an archive: {size:,} bytes, at most {_LARGEST_FILE:,}")
    head = tarfile.TarInfo(name)
    head.size = size
    return head.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)
