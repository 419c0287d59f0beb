import base64
import hashlib
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from dryrun_contract.ssh_signature import (
    SshSignature,
    public_key_blob,
    read_signature,
    signed_data,
    write_signature,
)

DOCUMENT = b"a report\n"
SIGNATURE = SshSignature(b"k" * 32, b"s" * 64)


def test_what_is_written_is_read_again():
    assert read_signature(write_signature(SIGNATURE)) == SIGNATURE


def test_openssh_verifies_what_is_signed_here(tmp_path):
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    signed = key.sign(signed_data(hashlib.sha512(DOCUMENT).digest()))
    (tmp_path / "report.sig").write_text(write_signature(SshSignature(public, signed)))
    line = f"reports ssh-ed25519 {base64.b64encode(public_key_blob(public)).decode()}"
    (tmp_path / "signers").write_text(line)

    def verified(document):
        verify = ["ssh-keygen", "-Y", "verify", "-f", "signers", "-I", "reports", "-n", "dryrun-report"]
        ran = subprocess.run([*verify, "-s", "report.sig"], cwd=tmp_path, input=document, check=False)
        return ran.returncode == 0

    assert verified(DOCUMENT)
    assert not verified(DOCUMENT + b"!")


def test_what_openssh_signs_is_read_here(tmp_path):
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (tmp_path / "report").write_bytes(DOCUMENT)
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "dryrun-report", tmp_path / "report"], check=True
    )
    signature = read_signature((tmp_path / "report.sig").read_text())
    public = Ed25519PublicKey.from_public_bytes(signature.public_key)
    public.verify(signature.signature, signed_data(hashlib.sha512(DOCUMENT).digest()))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not an SSH signature"),
        ("x" * 5000, "longer than"),
        (write_signature(SIGNATURE, "git"), "made for 'git'"),
        (write_signature(SshSignature(b"k" * 31, b"s" * 64)), "key of type"),
        (write_signature(SIGNATURE).replace("U1NIU0lH", "U1NIU0lI"), "of version 1"),
    ],
)
def test_what_is_no_signature_of_a_report_says_why(text, why):
    with pytest.raises(ValueError, match=why):
        read_signature(text)


@given(st.binary(max_size=300))
def test_broken_signatures_are_refused_without_a_crash(noise):
    blob = base64.b64encode(b"SSHSIG\0\0\0\1" + noise).decode()
    text = f"-----BEGIN SSH SIGNATURE-----\n{blob}\n-----END SSH SIGNATURE-----"
    with pytest.raises(ValueError, match=r"it |something"):
        read_signature(text)
