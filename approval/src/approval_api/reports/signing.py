"""Signed reports: a ZIP with the report, its data, how to check them, the digests of these, and a signature.

One signature covers all files, so that those of two reports cannot be put together, and nobody is given
another way to check them.

The key stays in this process; the one that writes reports out of hostile text never has it. Signatures are
OpenSSH's, so `ssh-keygen -Y verify` checks them too.
"""

import asyncio
import hashlib
import io
import zipfile
from datetime import datetime

from approval_api.identity.report_key import ReportKey
from approval_api.web.compressed import unpacked
from dryrun_contract.ssh_signature import REPORT_NAMESPACE

DIGESTS = "SHA512SUMS"
NOTE = "VERIFY.txt"
_ZIP_BEGINS = 1980


async def sign_documents(key: ReportKey, documents: dict[str, bytes], made: datetime) -> bytes:
    """Return a ZIP of documents (name: compressed by zlib), their signed digests, and how to check them."""
    return await asyncio.to_thread(_archive, key, documents, made)


def _archive(key: ReportKey, documents: dict[str, bytes], made: datetime) -> bytes:
    written = io.BytesIO()
    stamp = (max(made.year, _ZIP_BEGINS), made.month, made.day, made.hour, made.minute, made.second)
    digests = ""
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, document in documents.items():
            digest = hashlib.sha512()
            with archive.open(_entry(name, stamp), "w") as entry:
                for piece in unpacked(document):
                    digest.update(piece)
                    entry.write(piece)
            digests += f"{digest.hexdigest()}  {name}\n"
        note = _how(key).encode()
        archive.writestr(_entry(NOTE, stamp), note)
        digests += f"{hashlib.sha512(note).hexdigest()}  {NOTE}\n"
        archive.writestr(_entry(DIGESTS, stamp), digests)
        signature = key.sign(hashlib.sha512(digests.encode()).digest())
        archive.writestr(_entry(f"{DIGESTS}.sig", stamp), signature)
    return written.getvalue()


def _entry(name: str, stamp: tuple[int, int, int, int, int, int]) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, stamp)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _how(key: ReportKey) -> str:
    return (
        "This archive holds the report of a dry-run, the digests of its files, and a signature of these\n"
        f"digests by the key {key.fingerprint}.\n\n"
        "Compare with the public key that the people who run the service gave you, not with anything in\n"
        "this archive:\n\n"
        "  dryrun report verify THIS.zip --key report-key.pub\n\n"
        "or, with OpenSSH alone, after unpacking into an empty folder:\n\n"
        '  echo "reports $(cat report-key.pub)" > signers\n'
        f"  ssh-keygen -Y verify -f signers -I reports -n {REPORT_NAMESPACE} -s {DIGESTS}.sig < {DIGESTS}\n"
        f"  sha512sum --check --strict {DIGESTS}\n"
    )
