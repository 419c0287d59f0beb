import contextlib
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery_collectors.running.scope import OutOfScopeError, Scope, ScopeError


@st.composite
def networks(draw: st.DrawFn) -> IPv4Network:
    # A small corner of the address space, so that networks overlap often.
    prefix = draw(st.integers(22, 32))
    offset = draw(st.integers(0, 2**11 - 1))
    return IPv4Network((int(IPv4Address("10.0.0.0")) + offset, prefix), strict=False)


addresses = st.integers(0, 2**11 - 1).map(lambda offset: str(IPv4Address("10.0.0.0") + offset))
lists = st.lists(networks(), min_size=1, max_size=4)


@given(targets=lists, excluded=st.lists(networks(), max_size=4), address=addresses)
def test_admits_an_address_exactly_when_it_is_a_target_and_not_excluded(targets, excluded, address):
    scope = Scope.parse(map(str, targets), map(str, excluded))
    wanted = any(IPv4Address(address) in network for network in targets)
    shut = any(IPv4Address(address) in network for network in excluded)
    if wanted and not shut:
        assert scope.admit(address) == address
    else:
        with pytest.raises(OutOfScopeError):
            scope.admit(address)


@given(targets=lists, excluded=st.lists(networks(), max_size=4), address=addresses)
def test_names_to_a_scanner_exactly_what_it_admits(targets, excluded, address):
    scope = Scope.parse(map(str, targets), map(str, excluded))
    named = [network for network in scope.open_networks() if IPv4Address(address) in network]
    try:
        scope.admit(address)
    except OutOfScopeError:
        assert named == []
    else:
        assert len(named) == 1


@pytest.mark.parametrize(
    "text", ["db.example", "localhost", "", "10.0.0.0/33", "::1", "fd00::/64", "10.1-3.0.1"]
)
def test_refuses_a_target_that_is_no_address(text):
    with pytest.raises(ScopeError, match="not an IPv4 address or network"):
        Scope.parse([text])


def test_refuses_an_exclusion_that_is_no_address():
    with pytest.raises(ScopeError, match="exclusion 'printer'"):
        Scope.parse(["10.0.0.0/24"], ["printer"])


def test_names_both_meanings_of_a_target_with_host_bits():
    with pytest.raises(
        ScopeError, match=r"10\.0\.0\.0/24 for the network or 10\.0\.0\.5 for the one address"
    ):
        Scope.parse(["10.0.0.5/24"])


def test_refuses_more_addresses_than_one_run_may_have():
    with pytest.raises(ScopeError, match="split them"):
        Scope.parse(["10.0.0.0/8"])


def test_needs_a_target():
    with pytest.raises(ScopeError, match="there is no target"):
        Scope.parse([])


@given(st.text(max_size=40))
def test_only_addresses_are_admitted_whatever_is_given(text):
    scope = Scope.parse(["10.0.0.0/24"])
    with contextlib.suppress(OutOfScopeError):
        assert IPv4Address(scope.admit(text)) in IPv4Network("10.0.0.0/24")
