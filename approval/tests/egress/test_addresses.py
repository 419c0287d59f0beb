"""Every form of an address that leads inside is refused, unless an administrator listed its network."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approval_api.egress.addresses import judge
from approval_api.egress.hosts import NotAllowedError

INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::a00:1",
    "2001:0:1::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_refuses_an_address_that_leads_inside(address):
    with pytest.raises(NotAllowedError):
        judge(address, (), ())


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_a_public_address_passes_unless_it_is_the_deployments(address):
    assert str(judge(address, (), ())) == address
    own = (ip_network("8.8.8.0/24"), ip_network("2606:4700::/32"))
    with pytest.raises(NotAllowedError):
        judge(address, (), own)


@pytest.mark.parametrize(
    ("address", "network"), [("10.1.2.3", "10.1.2.0/24"), ("127.0.0.1", "127.0.0.1"), ("::1", "::1")]
)
def test_a_listed_network_admits_its_addresses_only(address, network):
    listed = (ip_network(network),)
    assert str(judge(address, listed, listed)) == address
    for other in ("10.1.3.1", "8.8.8.8", "fd00::1", "::ffff:10.1.2.3"):
        with pytest.raises(NotAllowedError):
            judge(other, listed, ())


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::", "::ffff:10.0.0.1"]
)
def test_no_list_admits_metadata_multicast_or_disguises(address):
    with pytest.raises(NotAllowedError):
        judge(address, (ip_network("0.0.0.0/0"), ip_network("::/0")), ())


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_ipv6_is_refused_whatever_it_is(address):
    number = int(address)
    for disguise in (
        f"::{address}",
        f"::ffff:{address}",
        f"64:ff9b::{address}",
        f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1",
    ):
        with pytest.raises(NotAllowedError):
            judge(disguise, (ip_network("::/0"),) if disguise != "::0.0.0.1" else (), ())


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f000001", "1.2.3.4.5"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(NotAllowedError):
        judge(text, (ip_network("0.0.0.0/0"),), ())
