"""Detached signatures in OpenSSH's format, which `ssh-keygen -Y verify` reads: bytes only, no cryptography.

Source: PROTOCOL.sshsig of OpenSSH. Only Ed25519 with SHA-512 is written and read.
"""

import base64
import binascii
import re
import struct
from dataclasses import dataclass

KEY_TYPE = "ssh-ed25519"
REPORT_NAMESPACE = "dryrun-report"
"""A signature of a report counts for nothing else, and one made for something else not for a report."""
MAX_SIGNATURE_BYTES = 4096
_MAGIC = b"SSHSIG"
_VERSION = 1
_HASH = b"sha512"
_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_ARMOUR = re.compile(
    r"\A-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]+)\n-----END SSH SIGNATURE-----\n?\Z"
)
_COLUMNS = 70


@dataclass(frozen=True, slots=True)
class SshSignature:
    """A signature and the key that it says it was made with: raw bytes of Ed25519."""

    public_key: bytes
    signature: bytes


def signed_data(document_sha512: bytes) -> bytes:
    """Return what is signed in place of the document, from the document's SHA-512."""
    namespace = _string(REPORT_NAMESPACE.encode())
    return _MAGIC + namespace + _string(b"") + _string(_HASH) + _string(document_sha512)


def write_signature(signature: SshSignature, namespace: str = REPORT_NAMESPACE) -> str:
    """Return the signature as the text of a `.sig` file."""
    blob = (
        _MAGIC
        + struct.pack(">I", _VERSION)
        + _string(public_key_blob(signature.public_key))
        + _string(namespace.encode())
        + _string(b"")
        + _string(_HASH)
        + _string(_string(KEY_TYPE.encode()) + _string(signature.signature))
    )
    text = base64.b64encode(blob).decode()
    lines = [text[start : start + _COLUMNS] for start in range(0, len(text), _COLUMNS)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""])


def read_signature(text: str) -> SshSignature:
    """Read the text of a `.sig` file. Raises ValueError that says what it is instead."""
    if len(text) > MAX_SIGNATURE_BYTES:
        raise ValueError(f"it is longer than {MAX_SIGNATURE_BYTES} bytes")
    armour = _ARMOUR.match(text.replace("\r\n", "\n"))
    if armour is None:
        raise ValueError("it is not an SSH signature (-----BEGIN SSH SIGNATURE-----)")
    try:
        blob = base64.b64decode(armour[1].replace("\n", ""), validate=True)
    except binascii.Error:
        raise ValueError("its base64 is broken") from None
    if not blob.startswith(_MAGIC + struct.pack(">I", _VERSION)):
        raise ValueError("it is not an SSH signature of version 1")
    fields = _strings(blob[len(_MAGIC) + 4 :], 5)
    key, of, _, digest, signature = fields
    if of != REPORT_NAMESPACE.encode():
        made_for = of[:40].decode("ascii", "replace")
        raise ValueError(f"it was made for {made_for!r}, not for {REPORT_NAMESPACE!r}")
    if digest != _HASH:
        raise ValueError("its hash is not SHA-512")
    return SshSignature(_typed(key, _KEY_BYTES), _typed(signature, _SIGNATURE_BYTES))


def public_key_blob(public_key: bytes) -> bytes:
    """Return a public key as OpenSSH writes it into files, before base64."""
    return _string(KEY_TYPE.encode()) + _string(public_key)


def _typed(blob: bytes, size: int) -> bytes:
    """Return the raw bytes of an Ed25519 key or signature. Raises ValueError for other types."""
    kind, raw = _strings(blob, 2)
    if kind != KEY_TYPE.encode() or len(raw) != size:
        raise ValueError(f"it is not by a key of type {KEY_TYPE}")
    return raw


def _string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value


def _strings(blob: bytes, count: int) -> list[bytes]:
    """Split a blob into exactly `count` strings with their lengths before them. Raises ValueError."""
    found: list[bytes] = []
    for _ in range(count):
        if len(blob) < 4:
            raise ValueError("it is cut off")
        (size,) = struct.unpack_from(">I", blob)
        if len(blob) < 4 + size:
            raise ValueError("it is cut off")
        found.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    if blob:
        raise ValueError("something follows it")
    return found
