"""Certificates of stand-ins: made while a stand-in is composed, with neutral names and a key of its own."""

import datetime as dt
import re

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dryrun_replica.inventory.model import TlsFacts

NOT_AFTER = dt.datetime(2039, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
_NOT_BEFORE = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_COMMON_NAME = re.compile(r"(?:^|,)CN=([A-Za-z0-9*][A-Za-z0-9.* _-]{0,63})(?=,|$)")
_ISSUER = "Example CA"


def common_name(distinguished_name: str | None, otherwise: str) -> str:
    """Return the common name of a name as RFC 4514 writes it, if it is plain; else `otherwise`.

    >>> common_name("O=Example,CN=web-3", "host"), common_name("CN=$(id)", "host"), common_name(None, "host")
    ('web-3', 'host', 'host')
    """
    found = _COMMON_NAME.search(distinguished_name or "")
    return found[1].strip() if found else otherwise


def subject_and_issuer(tls: TlsFacts, host: str) -> tuple[str, str]:
    """Return both common names that a stand-in's certificate has."""
    subject = common_name(tls.subject, host)
    if tls.self_signed or (tls.self_signed is None and tls.issuer is None):
        return subject, subject
    return subject, common_name(tls.issuer, _ISSUER)


def make_certificate(tls: TlsFacts, host: str) -> tuple[bytes, bytes]:
    """Return certificate and key as PEM. Both belong to one build; a later one has others."""
    subject, issuer = subject_and_issuer(tls, host)
    key = ec.generate_private_key(ec.SECP256R1())
    signer = key if subject == issuer else ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(_NOT_BEFORE, (tls.not_after or NOT_AFTER) - dt.timedelta(days=365)))
        .not_valid_after(tls.not_after or NOT_AFTER)
        .sign(signer, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), pem


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
