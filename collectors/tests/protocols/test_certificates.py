import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from discovery_collectors.protocols.certificates import CertificateError, fetch_certificate, read_certificate
from discovery_collectors.running.scope import Scope

HERE = Scope.parse(["127.0.0.1"]).admit("127.0.0.1")


def name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example AG"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


NAMES = (x509.DNSName("www.example"), x509.IPAddress(IPv4Address("10.0.0.9")))


def issue(subject: str, issuer: str, key, signer, names=NAMES) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2025, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2039, 12, 31, 23, 59, 59, tzinfo=UTC))
    )
    return builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(
        signer, hashes.SHA256()
    )


@pytest.fixture(scope="module")
def key():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def own(key):
    return issue("www.example", "www.example", key, key)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def test_reads_what_stands_in_a_certificate(own):
    read = read_certificate(der(own))
    assert read.subject == "CN=www.example,O=Example AG"
    assert read.names == ("www.example", "10.0.0.9")
    assert (read.not_before, read.not_after) == ("2025-01-01T00:00:00Z", "2039-12-31T23:59:59Z")
    assert read.self_signed
    assert read.sha256 == own.fingerprint(hashes.SHA256()).hex()


def test_a_certificate_of_a_ca_is_not_self_signed(key):
    read = read_certificate(
        der(issue("www.example", "Example CA", key, ec.generate_private_key(ec.SECP256R1())))
    )
    assert read.issuer == "CN=Example CA,O=Example AG"
    assert not read.self_signed


def test_a_certificate_that_only_names_itself_as_issuer_is_not_self_signed(key):
    read = read_certificate(
        der(issue("www.example", "www.example", key, ec.generate_private_key(ec.SECP256R1())))
    )
    assert not read.self_signed


@given(st.binary(max_size=200))
def test_bytes_that_are_no_certificate_are_one_error(content):
    with pytest.raises(CertificateError):
        read_certificate(content)


def hostile(key, *replaced: tuple[bytes, bytes]) -> bytes:
    """Return a certificate with two extensions of no meaning, of which some bytes are replaced."""
    extensions = [
        x509.UnrecognizedExtension(x509.ObjectIdentifier(f"2.5.29.{number}"), b"\x30\x02\xa3\x00")
        for number in (98, 99)
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("www.example"))
        .issuer_name(name("www.example"))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2025, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2039, 12, 31, tzinfo=UTC))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    content = der(builder.sign(key, hashes.SHA256()))
    for old, new in replaced:
        assert content.count(old) == 1
        content = content.replace(old, new)
    return content


VERSION_3, VERSION_6 = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05"


@pytest.mark.parametrize("number", [100, 150])
def test_names_that_are_not_kept_are_counted(key, number):
    names = [x509.DNSName(f"h{each}.example") for each in range(number)]
    read = read_certificate(der(issue("www.example", "www.example", key, key, names)))
    assert (len(read.names), read.names_total) == (100, number)


ALTERNATIVE_NAMES, FIRST, SECOND = b"\x55\x1d\x11", b"\x55\x1d\x62", b"\x55\x1d\x63"


@pytest.mark.parametrize(
    ("replaced", "why"),
    [
        ([(VERSION_3, VERSION_6)], x509.InvalidVersion),
        ([(FIRST, ALTERNATIVE_NAMES), (SECOND, ALTERNATIVE_NAMES)], x509.DuplicateExtension),
        ([(FIRST, ALTERNATIVE_NAMES)], x509.UnsupportedGeneralNameType),
    ],
)
def test_a_certificate_that_breaks_the_rules_is_the_same_error(key, replaced, why):
    with pytest.raises(CertificateError) as error:
        read_certificate(hostile(key, *replaced))
    assert type(error.value.__cause__) is why


def test_a_serial_number_that_is_not_positive_is_no_error_and_no_warning(key):
    serial = VERSION_3 + b"\x02\x01"
    assert read_certificate(hostile(key, (serial + b"\x07", serial + b"\0"))).subject.startswith(
        "CN=www.example"
    )


@asynccontextmanager
async def listening(handler, context=None):
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_fetches_the_certificate_a_server_shows_without_trusting_it(own, key, tmp_path):
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    files[0].write_bytes(own.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    sent = asyncio.get_running_loop().create_future()

    async def handle(reader, writer):
        sent.set_result(await reader.read())
        writer.close()

    async with listening(handle, context) as port:
        assert await fetch_certificate(HERE, port) == read_certificate(der(own))
        assert await asyncio.wait_for(sent, 5) == b""


async def test_a_server_that_speaks_no_tls_is_an_error():
    async def handle(reader, writer):
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    async with listening(handle) as port:
        with pytest.raises(CertificateError, match="handshake failed"):
            await fetch_certificate(HERE, port)


async def test_a_silent_server_is_given_up():

    async def handle(reader, writer):
        await reader.read()
        writer.close()

    async with listening(handle) as port:
        with pytest.raises(CertificateError, match=r"within 0\.2 s"):
            await fetch_certificate(HERE, port, 0.2)
