"""A product that issues its own certificate is named by it, and nobody else is."""

import pytest

from discovery_collectors.collectors.network.second_opinion import certificate_signs
from discovery_collectors.protocols.certificates import Certificate


@pytest.mark.parametrize(
    ("subject", "product"),
    [
        ("CN=i2pd.i2pcontrol,O=Purple I2P,C=A1", "i2pd"),
        ("CN=i2pd.i2pcontrol.example,O=x", ""),
        ("CN=strelaysrv,OU=Automatically Generated,O=Syncthing", "Syncthing relay"),
        ("CN=stdiscosrv,OU=Automatically Generated,O=Syncthing", "Syncthing discovery server"),
        ("CN=strelaysrv.example,O=Example", ""),
        ("CN=burpCA", "Burp backup server"),
    ],
)
def test_a_certificate_that_a_product_issued_to_itself_names_it(subject, product):
    found = certificate_signs.named_by(Certificate(subject, subject, (), "", "", self_signed=True, sha256=""))
    assert (found.product if found else "") == product


@pytest.mark.parametrize(
    ("subject", "not_after", "self_signed", "product"),
    [
        ("CN=unbound", "2046-08-18T12:00:00Z", True, "Unbound"),
        ("CN=nsd", "2046-08-18T12:00:00Z", True, "NLnet Labs NSD"),
        ("CN=unbound", "2046-08-18T12:00:00Z", False, ""),
        ("CN=unbound", "2036-11-28T12:00:00Z", True, ""),
        ("CN=unbound.example", "2046-08-18T12:00:00Z", True, ""),
    ],
)
def test_a_control_port_is_named_only_by_a_certificate_as_its_set_up_makes_it(
    subject, not_after, self_signed, product
):
    certificate = Certificate(
        subject, subject, (), "2026-12-01T12:00:00Z", not_after, self_signed=self_signed, sha256=""
    )
    found = certificate_signs.named_by(certificate)
    assert (found.product if found else "") == product
