from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dryrun_contract.network import Addresses, exact_network
from dryrun_contract.production import ScanEnd, ScanStart


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.1/24", "192.0.2.0/24"),
        ("192.0.2.1/255.255.255.0", "192.0.2.0/24"),
        ("2001:db8::1/64", "2001:db8::/64"),
        ("::ffff:192.0.2.0/24", "192.0.2.0/24"),
        ("::ffff:192.0.2.1/119", "::ffff:192.0.2.0/119"),
    ],
)
def test_names_both_meanings_of_a_network_with_host_bits(text, network):
    address = text.partition("/")[0]
    said = f"{text} has host bits set; write {network} for the network or {address} for the one address"
    with pytest.raises(ValueError, match=f"^{said}$"):
        exact_network(text)


@pytest.mark.parametrize("text", ["", "192.0.2.0/33", "192.0.2", "db.example", "192.0.2.0/24/24"])
def test_what_is_no_network_is_refused(text):
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 network"):
        exact_network(text)


def test_neither_what_a_scan_covers_nor_what_it_leaves_out_is_guessed():
    fine = {"collector": "network", "targets": ["192.0.2.0/24", "192.0.2.7"], "profile": "full"}
    assert ScanStart.model_validate(fine).targets == ("192.0.2.0/24", "192.0.2.7/32")
    for wrong in ({"targets": ["192.0.2.1/24"]}, {"exclude": ["192.0.2.1/24"]}):
        with pytest.raises(ValidationError, match="has host bits set"):
            ScanStart.model_validate(fine | wrong)
    with pytest.raises(ValidationError, match="has host bits set"):
        ScanEnd(complete=True, not_covered=("192.0.2.1/24",))


def test_a_scan_that_leaves_out_all_of_its_targets_is_refused():
    fine = {"collector": "network", "targets": ["192.0.2.0/24", "2001:db8::/64"], "profile": "full"}
    halves = ["192.0.2.0/25", "192.0.2.128/25"]
    assert ScanStart.model_validate(fine | {"exclude": halves}).exclude == tuple(halves)
    for exclude in ([*halves, "2001:db8::/64"], ["0.0.0.0/0", "::/0"]):
        with pytest.raises(ValidationError, match="all targets are excluded"):
            ScanStart.model_validate(fine | {"exclude": exclude})


def test_ipv4_addresses_that_are_written_as_ipv6_are_ipv4_as_in_keys():
    given = {"collector": "network", "targets": ["::ffff:192.0.2.7", "::/0"], "profile": "full"}
    assert ScanStart.model_validate(given).targets == ("192.0.2.7/32", "::/0")
    with pytest.raises(ValidationError, match="has host bits set"):
        ScanStart.model_validate(given | {"targets": ["::ffff:192.0.2.7/120"]})


def few(address, network, bits):
    """Networks among 32 addresses, and one of these: of both versions, so that one is never the other's."""
    size = st.integers(0, 5)
    networks = st.builds(
        lambda size, at: network(((at >> size) << size, bits - size)), size, st.integers(0, 31)
    )
    return networks, st.builds(address, st.integers(0, 31))


FOUR, SIX = few(IPv4Address, IPv4Network, 32), few(IPv6Address, IPv6Network, 128)


@given(st.lists(FOUR[0] | SIX[0], max_size=8), FOUR[1] | SIX[1])
def test_an_address_is_among_those_of_networks_when_one_has_it(networks, address):
    assert (address in Addresses(networks)) == any(address in network for network in networks)
