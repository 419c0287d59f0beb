import tracemalloc
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_orchestrator.session.subnets import (
    candidate_subnets,
    collector_address,
    probe_address,
    target_addresses,
)

SUBNET = "10.213.0.32/27"
services = st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=20, unique=True)


@given(services, st.integers(0, 9999))
def test_every_address_is_a_free_host_of_the_subnet_and_given_once(names, seed):
    given_out = [*target_addresses(SUBNET, names, seed).values(), probe_address(SUBNET)]
    given_out += [collector_address(SUBNET, slot) for slot in (0, 1)]
    assert len(set(given_out)) == len(names) + 3
    assert all(IPv4Address(address) in list(IPv4Network(SUBNET).hosts())[1:] for address in given_out)


@given(services, st.integers(0, 9999))
def test_a_seed_gives_the_same_layout_whatever_the_order_of_the_file(names, seed):
    assert target_addresses(SUBNET, names, seed) == target_addresses(SUBNET, names[::-1], seed)


def test_another_seed_gives_another_layout():
    names = [f"s{n}" for n in range(20)]
    assert target_addresses(SUBNET, names, 1) != target_addresses(SUBNET, names, 2)


def test_a_subnet_that_a_session_has_is_no_candidate():
    pool = IPv4Network("10.213.0.0/25")
    assert list(candidate_subnets(pool, 27, ["10.213.0.32/27"])) == [
        "10.213.0.0/27",
        "10.213.0.64/27",
        "10.213.0.96/27",
    ]


@pytest.mark.parametrize("spaced", [False, True])
@pytest.mark.parametrize("prefix", [26, 27])
@pytest.mark.parametrize("length", [16, 23, 25, 26])
def test_they_are_the_pools_in_order_from_either_end(length, prefix, spaced):
    pool = IPv4Network(("10.213.0.0", length))
    expected = [str(subnet) for subnet in pool.subnets(new_prefix=prefix)][:: 2 if spaced else 1]
    assert list(candidate_subnets(pool, prefix, (), spaced=spaced)) == expected
    assert list(candidate_subnets(pool, prefix, (), spaced=spaced, last_first=True)) == expected[::-1]


def test_the_first_of_either_end_is_found_without_making_half_a_million():
    tracemalloc.start()
    try:
        first = next(candidate_subnets(IPv4Network("10.0.0.0/8"), 27, ()))
        last = next(candidate_subnets(IPv4Network("10.0.0.0/8"), 27, (), last_first=True))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (first, last) == ("10.0.0.0/27", "10.255.255.224/27")
    assert most < 100_000
