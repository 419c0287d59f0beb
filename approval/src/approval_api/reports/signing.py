"""Signed reports: a ZIP with the report, its data, and a detached signature of each that is checked offline.

The key stays in this process; the one that writes reports out of hostile text never has it. Signatures are
OpenSSH's, so `ssh-keygen -Y verify` checks them too.
"""

import asyncio
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime

from approval_api.identity.report_key import ReportKey
from dryrun_contract.ssh_signature import REPORT_NAMESPACE

_CHUNK = 64 * 1024
_ZIP_BEGINS = 1980


async def sign_documents(key: ReportKey, documents: dict[str, bytes], made: datetime) -> bytes:
    """Return a ZIP of documents (name: compressed by zlib), the signature of each, and how to check them."""
    return await asyncio.to_thread(_archive, key, documents, made)


def _archive(key: ReportKey, documents: dict[str, bytes], made: datetime) -> bytes:
    written = io.BytesIO()
    stamp = (max(made.year, _ZIP_BEGINS), made.month, made.day, made.hour, made.minute, made.second)
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, document in documents.items():
            digest = hashlib.sha512()
            with archive.open(_entry(name, stamp), "w") as entry:
                for piece in _unpacked(document):
                    digest.update(piece)
                    entry.write(piece)
            archive.writestr(_entry(f"{name}.sig", stamp), key.sign(digest.digest()))
        archive.writestr(_entry("VERIFY.txt", stamp), _how(key, list(documents)))
    return written.getvalue()


def _entry(name: str, stamp: tuple[int, int, int, int, int, int]) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, stamp)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _unpacked(document: bytes) -> Iterator[bytes]:
    reader = zlib.decompressobj()
    rest = document
    while rest:
        yield reader.decompress(rest, _CHUNK)
        rest = reader.unconsumed_tail
    yield reader.flush()


def _how(key: ReportKey, names: list[str]) -> str:
    commands = "\n".join(
        f"  ssh-keygen -Y verify -f signers -I reports -n {REPORT_NAMESPACE} -s {name}.sig < {name}"
        for name in names
    )
    return (
        "This archive holds the report of a dry-run and a signature of each of its files.\n"
        f"They were signed with the key {key.fingerprint}.\n\n"
        "Compare with the public key that the people who run the service gave you, not with anything in\n"
        "this archive:\n\n"
        "  dryrun report verify THIS.zip --key report-key.pub\n\n"
        "or, with OpenSSH alone, after unpacking:\n\n"
        '  echo "reports $(cat report-key.pub)" > signers\n'
        f"{commands}\n"
    )
