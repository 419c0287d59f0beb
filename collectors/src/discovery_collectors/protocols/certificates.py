"""Fetches and reads the certificate that a TLS service presents. Nothing is verified or trusted."""

import asyncio
import ssl
import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.utils import CryptographyDeprecationWarning

from discovery_collectors.protocols.tls_contexts import accepting_context
from discovery_collectors.running.scope import ScopedAddress

HANDSHAKE_SECONDS = 5
_GOODBYE_SECONDS = 1
_NAMES = 100
"""Alternative names kept at most; certificates of large providers hold hundreds."""
_TEXT_CHARACTERS = 300


class CertificateError(RuntimeError):
    """The service presented no certificate that can be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate's contents. Names are written as in RFC 4514, e.g. `CN=www.example,O=Example`."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    """Subject alternative names, DNS names and addresses; the first hundred."""
    not_before: str
    """RFC 3339, UTC, whole seconds; so is `not_after`."""
    not_after: str
    self_signed: bool
    """Subject and issuer are one, and its own key made the signature."""
    sha256: str
    """Fingerprint of the whole certificate, lower-case hex."""
    names_total: int = 0
    """How many names it has."""


async def fetch_certificate(
    address: ScopedAddress, port: int, seconds: float = HANDSHAKE_SECONDS
) -> Certificate:
    """Make one TLS handshake, without a server name, and read the leaf certificate, within `seconds`.

    No byte of application data is sent. Old protocol versions and ciphers are accepted, since all that
    matters is what the service presents. Raises CertificateError.
    """
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(
                address,
                port,
                ssl=accepting_context(),
                server_hostname="",
                ssl_shutdown_timeout=_GOODBYE_SECONDS,
            )
    except TimeoutError:
        raise CertificateError(f"no TLS handshake within {seconds:g} s") from None
    except (OSError, ValueError) as error:
        raise CertificateError(f"the TLS handshake failed: {error}") from error
    try:
        connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
        content = connection.getpeercert(binary_form=True)
    finally:
        # Orderly, so that the service logs no error; but not for long.
        writer.close()
        with suppress(OSError, TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), _GOODBYE_SECONDS)
    if content is None:
        raise CertificateError("the service uses TLS without a certificate")
    return read_certificate(content)


def read_certificate(content: bytes) -> Certificate:
    """Read a certificate in DER. Raises CertificateError."""
    try:
        with warnings.catch_warnings():
            # Serial numbers that are not positive, as CFEngine's, are what a service presents.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            certificate = x509.load_der_x509_certificate(content)
        names = _names(certificate)
        return Certificate(
            subject=certificate.subject.rfc4514_string()[:_TEXT_CHARACTERS],
            issuer=certificate.issuer.rfc4514_string()[:_TEXT_CHARACTERS],
            names=tuple(name[:_TEXT_CHARACTERS] for name in names[:_NAMES]),
            names_total=len(names),
            not_before=_time(certificate.not_valid_before_utc),
            not_after=_time(certificate.not_valid_after_utc),
            self_signed=_is_self_signed(certificate),
            sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        )
    # cryptography's own errors share no base, and new ones come: what a service presents must end no scan.
    except Exception as error:
        raise CertificateError(f"the certificate cannot be read: {error}") from error


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    names = extension.value.get_values_for_type(x509.DNSName)
    return [*names, *map(str, extension.value.get_values_for_type(x509.IPAddress))]


def _is_self_signed(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def days_valid(certificate: Certificate) -> int:
    """Return for how many whole days the certificate was issued."""
    begin, end = map(datetime.fromisoformat, (certificate.not_before, certificate.not_after))
    return (end - begin).days


def days_left(certificate: Certificate) -> int:
    """Return whole days until the certificate ends; below 0 when it has ended."""
    return (datetime.fromisoformat(certificate.not_after) - datetime.now(UTC)).days
