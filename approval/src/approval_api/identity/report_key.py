"""The key by which this service signs reports."""

import base64
import hashlib
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

from dryrun_contract.ssh_signature import (
    SshSignature,
    public_key_blob,
    signed_data,
    write_signature,
)


class ReportKey:
    """The private key that signs reports."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes_raw()

    @classmethod
    def read(cls, text: str) -> Self:
        """Read OpenSSH's format, or PKCS #8 as PEM. Raises ValueError that says how to make a key."""
        load = load_ssh_private_key if "OPENSSH" in text else load_pem_private_key
        try:
            key = load(text.strip().encode() + b"\n", password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(  # noqa: TRY004 - the setting's value is wrong
                "expected an Ed25519 key without a passphrase; make one with: "
                "ssh-keygen -t ed25519 -N '' -C reports -f report-key"
            )
        return cls(key)

    @property
    def fingerprint(self) -> str:
        """The public key's fingerprint, as `ssh-keygen -l` prints it."""
        digest = hashlib.sha256(public_key_blob(self.public_key)).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"

    def sign(self, document_sha512: bytes) -> str:
        """Return the text of the `.sig` file of a document with this SHA-512."""
        signature = self._key.sign(signed_data(document_sha512))
        return write_signature(SshSignature(self.public_key, signature))
