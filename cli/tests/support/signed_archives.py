"""Signed reports as archives, well made ones and others."""

import base64
import hashlib
import io
import json
import zipfile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fake_approval_api import FakeApi
from recorded_report import small_report

from dryrun_contract.ssh_signature import SshSignature, public_key_blob, signed_data, write_signature

KEY = Ed25519PrivateKey.generate()
OTHER = Ed25519PrivateKey.generate()
REPORT = small_report(FakeApi().add_session())


def signature(key, content):
    signed = key.sign(signed_data(hashlib.sha512(content).digest()))
    return write_signature(SshSignature(key.public_key().public_bytes_raw(), signed))


def public_line(key, comment="reports"):
    blob = base64.b64encode(public_key_blob(key.public_key().public_bytes_raw())).decode()
    return f"ssh-ed25519 {blob} {comment}\n"


PAGE = b"<!doctype html>"
DATA = json.dumps(REPORT).encode()


NOTE = b"how to check this"


FORMER_NOTE = """\
This archive holds the report of a dry-run, the digests of its files, and a signature of these
digests by the key {}.

Compare with the public key that the people who run the service gave you, not with anything in
this archive:

  dryrun report verify THIS.zip --key report-key.pub

or, with OpenSSH alone, after unpacking into an empty folder:

  echo "reports $(cat report-key.pub)" > signers
  ssh-keygen -Y verify -f signers -I reports -n dryrun-report -s SHA512SUMS.sig < SHA512SUMS
  sha512sum --check --strict SHA512SUMS
"""
"""What it said before it was signed too, by the key of this fingerprint."""


def former_note(key=KEY):
    digest = hashlib.sha256(public_key_blob(key.public_key().public_bytes_raw())).digest()
    return FORMER_NOTE.format(f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}")


def files(key=KEY, page=PAGE, data=DATA, note=NOTE):
    """What an archive holds; without a note, one of before it was signed too."""
    signed = {"report.html": page, "report.json": data} | ({"VERIFY.txt": note} if note else {})
    digests = "".join(f"{hashlib.sha512(content).hexdigest()}  {name}\n" for name, content in signed.items())
    return {
        "report.html": page,
        "report.json": data,
        "SHA512SUMS": digests,
        "SHA512SUMS.sig": signature(key, digests.encode()),
        "VERIFY.txt": note or former_note(key),
    }


def archive(members):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return written.getvalue()
