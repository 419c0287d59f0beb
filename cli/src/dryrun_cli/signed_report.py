"""Reads a signed report and checks its signatures, offline; the archive is hostile until they are checked."""

import base64
import binascii
import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dryrun_cli.errors import NotGenuineError, WrongUseError
from dryrun_cli.plain_archive import MAX_DOCUMENT_BYTES, require_plain
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
_UNSIGNED_NOTE = "3e4b8948654496fa8111f1b32b472bbef7ba32c3a17d05e7e89fa196f94e57b7"
"""SHA-256 of what it said then, without the key's fingerprint."""
MAX_DATA_BYTES: Final = 128 * 1024 * 1024
MAX_KEY_FILE_BYTES: Final = 64 * 1024
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
            require_plain(file, path)
            with zipfile.ZipFile(file) as archive:
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
        raise NotGenuineError(f"{changed} in {path} was changed after it was signed")
    if NOTE not in files and not _is_former_note(_small(archive, NOTE), key):
        # Anything else could be an archive of another format, which some unpackers prefer.
        raise NotGenuineError(
            f"{NOTE} in {path} is not signed, and is not the note that came with such reports"
        )
    return Genuine(files, key, data)


def _is_former_note(note: bytes, key: TrustedKey) -> bool:
    without_key = note.replace(key.fingerprint.encode(), b"")
    return hashlib.sha256(without_key).hexdigest() == _UNSIGNED_NOTE


def _small(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as entry:
        content = entry.read(MAX_SIGNATURE_BYTES + 1)
    if len(content) > MAX_SIGNATURE_BYTES:
        raise NotGenuineError(f"{name} has more than {MAX_SIGNATURE_BYTES} bytes")
    return content


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
