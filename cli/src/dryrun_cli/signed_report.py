"""Reads a signed report and checks its signatures, offline; the archive is hostile until they are checked."""

import base64
import binascii
import hashlib
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import IO, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dryrun_cli.errors import NotGenuineError, WrongUseError
from dryrun_contract.ssh_signature import (
    KEY_TYPE,
    MAX_SIGNATURE_BYTES,
    public_key_blob,
    read_signature,
    signed_data,
)

DATA: Final = "report.json"
MEMBERS: Final = ("report.html", DATA)
DIGESTS: Final = "SHA512SUMS"
SIGNATURE: Final = "SHA512SUMS.sig"
NOTE: Final = "VERIFY.txt"
"""How to check the rest. Reports that were signed before it was signed too have no digest of it."""
MAX_ARCHIVE_BYTES: Final = 64 * 1024 * 1024
MAX_DOCUMENT_BYTES: Final = 512 * 1024 * 1024
MAX_DATA_BYTES: Final = 128 * 1024 * 1024
MAX_KEY_FILE_BYTES: Final = 64 * 1024
_MAX_ENTRIES = 8
_MAX_DIRECTORY_BYTES = 4096
_DIRECTORY_END = struct.Struct("<4s4H2LH")
_LOCAL_HEADER = struct.Struct("<4s2x2H4x3L2H")
_DESCRIPTOR = 1 << 3
"""Flag: the entry's size follows its data, so readers may disagree with the directory about its contents."""
_ZIP64_LOCATOR = b"PK\x06\x07"
_ZIP64_LOCATOR_BYTES = 20
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key that the reader trusts, with its comment."""

    raw: bytes
    comment: str

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint, as `ssh-keygen -l` prints it."""
        digest = hashlib.sha256(public_key_blob(self.raw)).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


@dataclass(frozen=True, slots=True)
class Genuine:
    """What is proved: these files were signed by this key."""

    files: tuple[str, ...]
    key: TrustedKey
    data: bytes
    """The report as JSON."""


def read_keys(path: Path) -> list[TrustedKey]:
    """Return the keys of a `.pub` file, one a line. Raises WrongUseError."""
    lines = _read_small(path, MAX_KEY_FILE_BYTES, "key").decode("utf-8", "replace").splitlines()
    keys: list[TrustedKey] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        kind, _, rest = line.strip().partition(" ")
        text, _, comment = rest.partition(" ")
        prefix = public_key_blob(bytes(32))[:-32]
        try:
            blob = base64.b64decode(text, validate=True)
        except binascii.Error:
            blob = b""
        if kind != KEY_TYPE or len(blob) != len(prefix) + 32 or not blob.startswith(prefix):
            raise WrongUseError(
                f"{path}:{number}: no public key of type {KEY_TYPE}; expected the report-key.pub that the "
                "operators of the service hand out"
            )
        keys.append(TrustedKey(blob[len(prefix) :], comment))
    if not keys:
        raise WrongUseError(f"{path} has no key")
    return keys


def verify(path: Path, keys: list[TrustedKey]) -> Genuine:
    """Check a signed report.

    Raises NotGenuineError when anything in it is not signed by one of the keys, and WrongUseError when it
    cannot be read.
    """
    try:
        with path.open("rb") as file:
            entries = _bound_directory(file, path)
            with zipfile.ZipFile(file) as archive:
                if len(archive.infolist()) != entries:
                    raise NotGenuineError(f"{path} tells of another directory than it has")
                _refuse_hidden_bytes(archive, file, path)
                return _verify_members(archive, path, keys)
    except OSError as error:
        raise WrongUseError(f"cannot read {path}: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise NotGenuineError(f"{path} is damaged: {error}") from error


def _verify_members(archive: zipfile.ZipFile, path: Path, keys: list[TrustedKey]) -> Genuine:
    names = archive.namelist()
    expected = {*MEMBERS, DIGESTS, SIGNATURE, NOTE}
    if len(names) != len(set(names)) or set(names) != expected:
        held, wanted = (", ".join(sorted(each)) for each in (names, expected))
        raise NotGenuineError(f"{path} holds {held}; expected {wanted}")
    digests = _small(archive, DIGESTS)
    key = _check(hashlib.sha512(digests).digest(), _small(archive, SIGNATURE), keys)
    signed = digests.decode("ascii", "replace")
    files = (*MEMBERS, NOTE) if f"  {NOTE}\n" in signed else MEMBERS
    lines: list[str] = []
    data = b""
    for name in files:
        with archive.open(name) as entry:
            digest, kept = _digest(entry, name, keep=name == DATA)
        lines.append(f"{digest}  {name}\n")
        data = kept or data
    if "".join(lines) != signed:
        listed = zip(files, lines, strict=True)
        changed = " and ".join(name for name, line in listed if line not in signed) or DIGESTS
        raise NotGenuineError(f"{changed} of {path} was changed after it was signed")
    return Genuine(files, key, data)


def _small(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as entry:
        content = entry.read(MAX_SIGNATURE_BYTES + 1)
    if len(content) > MAX_SIGNATURE_BYTES:
        raise NotGenuineError(f"{name} has more than {MAX_SIGNATURE_BYTES} bytes")
    return content


def _refuse_hidden_bytes(archive: zipfile.ZipFile, file: IO[bytes], path: Path) -> None:
    """Refuse what the directory does not list: unpackers that read from the front would see it."""
    at = 0
    for entry in sorted(archive.infolist(), key=attrgetter("header_offset")):
        file.seek(entry.header_offset)
        header = file.read(_LOCAL_HEADER.size)
        if entry.header_offset != at or len(header) < _LOCAL_HEADER.size:
            raise NotGenuineError(f"{path} has bytes beside its files")
        magic, flags, *told, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        name = file.read(name_bytes)
        if extra_bytes or entry.extra or entry.comment:
            # An unpacker may take another name from there (0x7075, Unicode path), and swap two files.
            raise NotGenuineError(f"{path} says more of its files than their names")
        listed = [entry.compress_type, entry.CRC, entry.compress_size, entry.file_size]
        named = (magic, name, told) == (b"PK\x03\x04", entry.filename.encode(), listed)
        if not named or flags != entry.flag_bits or flags & _DESCRIPTOR:
            raise NotGenuineError(f"{path} describes its files in two ways")
        if stat.S_IFMT(entry.external_attr >> 16) not in {0, stat.S_IFREG}:
            # An unpacker may make a link of it, whose target would be its content.
            raise NotGenuineError(f"{entry.filename} of {path} is no plain file")
        if entry.file_size > MAX_DOCUMENT_BYTES:
            raise NotGenuineError(f"{entry.filename} is larger than any report")
        if not _fills_its_place(file, entry):
            raise NotGenuineError(f"{path} has bytes behind those of {entry.filename}")
        at += _LOCAL_HEADER.size + name_bytes + entry.compress_size
    if at != archive.start_dir:
        raise NotGenuineError(f"{path} has bytes beside its files")


def _fills_its_place(file: IO[bytes], entry: zipfile.ZipInfo) -> bool:
    """Return whether a file's content ends where its bytes in the archive do: unpackers may go on reading."""
    if entry.compress_type == zipfile.ZIP_STORED:
        return entry.compress_size == entry.file_size
    if entry.compress_type != zipfile.ZIP_DEFLATED:
        return False
    unpacking = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    left, size = entry.compress_size, 0
    while not unpacking.eof and size <= entry.file_size:
        piece = unpacking.unconsumed_tail or file.read(min(left, _CHUNK))
        got = unpacking.decompress(piece, _CHUNK)
        size += len(got)
        left -= len(piece) - len(unpacking.unconsumed_tail)
        if not piece and not got:
            return False
    return unpacking.eof and not left and not unpacking.unused_data and size == entry.file_size


def _bound_directory(file: IO[bytes], path: Path) -> int:
    """Return how many entries the directory is said to have. Raises NotGenuineError for a million of them."""
    size = file.seek(0, 2)
    if size > MAX_ARCHIVE_BYTES:
        raise NotGenuineError(f"{path} has more than {MAX_ARCHIVE_BYTES} bytes; no signed report is so large")
    file.seek(max(0, size - _DIRECTORY_END.size - _ZIP64_LOCATOR_BYTES))
    tail = file.read()
    file.seek(0)
    end = tail[-_DIRECTORY_END.size :]
    if len(end) < _DIRECTORY_END.size or tail[: -_DIRECTORY_END.size].startswith(_ZIP64_LOCATOR):
        raise NotGenuineError(f"{path} is not a signed report")
    entries: int
    magic, *disks, here, entries, directory, begin, comment = _DIRECTORY_END.unpack(end)
    if magic != b"PK\x05\x06" or comment or entries > _MAX_ENTRIES or directory > _MAX_DIRECTORY_BYTES:
        raise NotGenuineError(f"{path} is not a signed report")
    if any(disks) or here != entries:
        raise NotGenuineError(f"{path} tells of another directory than it has")
    if begin + directory + _DIRECTORY_END.size != size:
        # We would read the directory in front of its end; an unpacker may go by the place that it tells.
        raise NotGenuineError(f"{path} tells another place of its directory, or has bytes beside its files")
    return entries


def _digest(file: IO[bytes], name: str, *, keep: bool) -> tuple[str, bytes]:
    """Return the SHA-512 of a file, and its content where that is to be shown."""
    digest = hashlib.sha512()
    kept = bytearray()
    size = 0
    while piece := file.read(_CHUNK):
        size += len(piece)
        if size > MAX_DOCUMENT_BYTES or (keep and size > MAX_DATA_BYTES):
            raise NotGenuineError(f"{name} is larger than any report")
        digest.update(piece)
        if keep:
            kept += piece
    return digest.hexdigest(), bytes(kept)


def _check(digest: bytes, signature: bytes, keys: list[TrustedKey]) -> TrustedKey:
    """Return the key that signed the digests. Raises NotGenuineError."""
    try:
        found = read_signature(signature.decode("ascii", "replace"))
    except ValueError as error:
        raise NotGenuineError(f"{SIGNATURE} cannot be read: {error}") from None
    key = next((key for key in keys if key.raw == found.public_key), None)
    if key is None:
        other = TrustedKey(found.public_key, "").fingerprint
        raise NotGenuineError(f"it is signed by {other}, which is not among the keys that you trust")
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(found.signature, signed_data(digest))
    except InvalidSignature:
        raise NotGenuineError(f"{DIGESTS} was changed after it was signed") from None
    return key


def _read_small(path: Path, limit: int, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise WrongUseError(f"cannot read the {what} file {path}: {error.strerror or error}") from error
    if len(content) > limit:
        raise WrongUseError(f"{path} has more than {limit} bytes; that is not a {what} file")
    return content
