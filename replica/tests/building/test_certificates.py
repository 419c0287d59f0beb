import datetime as dt

import pytest
from cryptography import x509

from dryrun_replica.building.certificates import make_certificate
from dryrun_replica.inventory.model import TlsFacts

ENDED = dt.datetime(2021, 3, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("tls", "subject", "issuer"),
    [
        (TlsFacts(), "CN=web-1", "CN=web-1"),
        (TlsFacts(subject="CN=shop"), "CN=shop", "CN=shop"),
        (TlsFacts(subject="CN=shop", issuer="CN=Some CA"), "CN=shop", "CN=Some CA"),
        (TlsFacts(subject="CN=shop", issuer="CN=shop", self_signed=True), "CN=shop", "CN=shop"),
        (TlsFacts(subject="CN=$(id)", self_signed=False), "CN=web-1", "CN=Example CA"),
    ],
)
def test_names_are_the_inventorys_where_they_are_plain(tls: TlsFacts, subject: str, issuer: str) -> None:
    certificate = x509.load_pem_x509_certificate(make_certificate(tls, "web-1")[0])
    assert certificate.subject.rfc4514_string() == subject
    assert certificate.issuer.rfc4514_string() == issuer


def test_it_ends_when_the_inventory_says_also_in_the_past() -> None:
    certificate = x509.load_pem_x509_certificate(make_certificate(TlsFacts(not_after=ENDED), "web-1")[0])
    assert certificate.not_valid_after_utc == ENDED
    assert certificate.not_valid_before_utc < ENDED
