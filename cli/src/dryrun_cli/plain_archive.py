"""Requires of an archive that all unpackers read the same files from it: it is written as ours are."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from dryrun_cli.errors import NotGenuineError

MAX_ARCHIVE_BYTES: Final = 64 * 1024 * 1024
MAX_DOCUMENT_BYTES: Final = 512 * 1024 * 1024
_MAX_ENTRIES = 8
_MAX_DIRECTORY_BYTES = 4096
_DIRECTORY_END = struct.Struct("<4s4H2LH")
_LISTED = struct.Struct("<4sBB26s3H2L")
_HEAD = struct.Struct("<3H4x3L2H")
"""What a file's listing and the head before its bytes have in common: version, flags, method, sizes."""
_HEAD_BEGINS = b"PK\x03\x04"
_VERSION = 20
"""Of the format, that compressed files need. An unpacker may leave out what needs a later one."""
_SYSTEMS = {0, 3}
"""DOS and Unix: the writers whose attributes are read the same everywhere."""
_PLAIN_DOS_ATTRIBUTES = 0x21
"""Read-only, changed: whatever else there is makes a folder, a label or a link of a file."""
_ZIP64_LOCATOR = b"PK\x06\x07"
_ZIP64_LOCATOR_BYTES = 20
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file of the archive, as the directory lists it."""

    name: str
    head: bytes
    """What stands before its bytes, without the first four."""
    compressed: bool
    packed_bytes: int
    file_bytes: int
    begin: int


def require_plain(file: IO[bytes], path: Path) -> None:
    """Raise NotGenuineError for what unpackers may read in two ways, or for a million of entries."""
    begin, entries, directory = _read_directory(file, path)
    at = count = 0
    for entry in _listed(directory, path):
        file.seek(entry.begin)
        if entry.begin != at:
            raise NotGenuineError(f"{path} has bytes that belong to none of its files")
        if file.read(len(_HEAD_BEGINS) + len(entry.head)) != _HEAD_BEGINS + entry.head:
            raise NotGenuineError(f"{path} describes {entry.name} in two different ways")
        if entry.file_bytes > MAX_DOCUMENT_BYTES:
            raise NotGenuineError(f"{entry.name} is larger than any report")
        if not _fills_its_place(file, entry):
            raise NotGenuineError(f"{path} has bytes after the content of {entry.name}")
        at = entry.begin + len(_HEAD_BEGINS) + len(entry.head) + entry.packed_bytes
        count += 1
    if at != begin:
        raise NotGenuineError(f"{path} has bytes that belong to none of its files")
    if count != entries:
        raise NotGenuineError(f"the directory of {path} is not the one that its end states")


def _read_directory(file: IO[bytes], path: Path) -> tuple[int, int, bytes]:
    """Return where the directory begins, how many entries its end states, and its bytes."""
    size = file.seek(0, 2)
    if size > MAX_ARCHIVE_BYTES:
        raise NotGenuineError(f"{path} has more than {MAX_ARCHIVE_BYTES} bytes; no signed report is so large")
    file.seek(max(0, size - _DIRECTORY_END.size - _ZIP64_LOCATOR_BYTES))
    tail = file.read()
    end = tail[-_DIRECTORY_END.size :]
    if len(end) < _DIRECTORY_END.size or tail[: -_DIRECTORY_END.size].startswith(_ZIP64_LOCATOR):
        raise NotGenuineError(f"{path} is not a signed report")
    magic, *disks, here, entries, directory, begin, comment = _DIRECTORY_END.unpack(end)
    if magic != b"PK\x05\x06" or comment or entries > _MAX_ENTRIES or directory > _MAX_DIRECTORY_BYTES:
        raise NotGenuineError(f"{path} is not a signed report")
    if any(disks) or here != entries:
        raise NotGenuineError(f"the directory of {path} is not the one that its end states")
    if begin + directory + _DIRECTORY_END.size != size:
        # We would read the directory in front of its end; an unpacker may go by the place that is stated.
        where = f"the directory of {path} is not where its end states"
        raise NotGenuineError(f"{where}, or there are bytes that belong to none of its files")
    file.seek(begin)
    return begin, entries, file.read(directory)


def _listed(directory: bytes, path: Path) -> Iterator[_Entry]:
    """Yield what a directory lists. Raises NotGenuineError where it may be read in two ways."""
    while directory:
        if len(directory) < _LISTED.size:
            raise NotGenuineError(f"the directory of {path} is not the one that its end states")
        magic, _, system, head, comment_bytes, disk, kind, attributes, begin = _LISTED.unpack_from(directory)
        version, flags, method, _, packed_bytes, file_bytes, name_bytes, extra_bytes = _HEAD.unpack(head)
        raw = directory[_LISTED.size : _LISTED.size + name_bytes]
        directory = directory[_LISTED.size + name_bytes :]
        if magic != b"PK\x01\x02" or len(raw) < name_bytes:
            raise NotGenuineError(f"the directory of {path} is not the one that its end states")
        if extra_bytes or comment_bytes or b"\0" in raw:
            # An unpacker may take another name from there (0x7075, Unicode path), and swap two files.
            raise NotGenuineError(f"{path} gives its files more than a name, such as a second one")
        name = raw.decode("ascii", "replace")
        # Flags: sizes behind the bytes, encrypted, masked. Kind: a text, whose lines are to be changed.
        if flags or kind or disk or version > _VERSION or system not in _SYSTEMS:
            raise NotGenuineError(f"{path} may be unpacked in several ways")
        mode, dos_attributes = attributes >> 16, attributes & 0xFFFF
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG} or dos_attributes & ~_PLAIN_DOS_ATTRIBUTES:
            # An unpacker may make a link of it, whose target would be its content, or an empty folder.
            raise NotGenuineError(f"{name} in {path} is not a plain file")
        if method not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise NotGenuineError(f"{path} may be unpacked in several ways")
        yield _Entry(name, head + raw, method == zipfile.ZIP_DEFLATED, packed_bytes, file_bytes, begin)


def _fills_its_place(file: IO[bytes], entry: _Entry) -> bool:
    """Return whether a file's content ends where its bytes in the archive do: unpackers may go on reading."""
    if not entry.compressed:
        return entry.packed_bytes == entry.file_bytes
    unpacking = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    left, size = entry.packed_bytes, 0
    while not unpacking.eof and size <= entry.file_bytes:
        piece = unpacking.unconsumed_tail or file.read(min(left, _CHUNK))
        got = unpacking.decompress(piece, _CHUNK)
        size += len(got)
        left -= len(piece) - len(unpacking.unconsumed_tail)
        if not piece and not got:
            return False
    return unpacking.eof and not left and not unpacking.unused_data and size == entry.file_bytes
