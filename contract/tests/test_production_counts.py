import time
from ipaddress import IPv4Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_contract.discovery import Discovery
from dryrun_contract.production_counts import (
    MAX_COUNTED_PLACES,
    MAX_COUNTED_PRODUCTS,
    MAX_FOUND,
    ProductionCounter,
    ProductionCounts,
)
from dryrun_contract.text import printable


def service(key, confidence=1.0, **data):
    return Discovery(kind="service", key=key, data=data, confidence=confidence)


def counts_of(*collectors):
    counted = ProductionCounter()
    for found in collectors:
        for each in found:
            counted.add(each)
        counted.next_collector()
    return counted.counts(complete=True)


def test_a_resource_reported_twice_counts_once_with_the_surest_product():
    found = [
        Discovery(kind="host", key="10.213.0.9"),
        service("10.213.0.1:80/tcp", 0.5, product="Apache"),
        service("10.213.0.1:80/tcp", 0.9, product="nginx"),
        service("10.213.0.2:80/tcp"),
        Discovery(kind="web_app", key="10.213.0.2:80/tcp"),
    ]
    counted = counts_of(found, [service("10.213.0.1:80/tcp", 1.0)])
    assert (counted.hosts, counted.places, counted.products) == (3, {"80/tcp": 2}, {"nginx": 1})
    assert "10.213" not in counted.model_dump_json()


def test_a_product_that_a_collector_took_back_is_not_counted():
    found = [
        service("10.213.0.1:5432/tcp", 0.9, product="PostgreSQL DB"),
        service("10.213.0.1:5432/tcp", 0.93),
        service("10.213.0.2:5432/tcp", 0.9),
        service("10.213.0.2:5432/tcp", 0.9, product="PostgreSQL DB"),
    ]
    assert counts_of(found).products == {"PostgreSQL DB": 1}
    assert counts_of([service("10.213.0.1:5432/tcp", 0.3, product="H2")], found[:2]).products == {"H2": 1}


def test_however_many_places_and_products_there_are_the_outcome_has_its_bounds():
    found = [service(f"10.213.0.1:{n}/tcp", product=f"p{n}") for n in range(1, 2001)]
    counted = counts_of(found)
    assert (len(counted.places), len(counted.products)) == (MAX_COUNTED_PLACES, MAX_COUNTED_PRODUCTS)
    assert counted.others == 2000 - MAX_COUNTED_PLACES
    assert counted.other_products == 2000 - MAX_COUNTED_PRODUCTS
    assert ProductionCounts.model_validate_json(counted.model_dump_json()) == counted
    assert len(counted.model_dump_json()) < 60 * 1024


@given(st.text(max_size=300))
def test_no_product_breaks_an_outcome(product):
    counted = counts_of([service("10.213.0.1:80/tcp", product=product)])
    assert ProductionCounts.model_validate_json(counted.model_dump_json()) == counted
    assert all(printable(name) == name for name in counted.products)


def test_a_machine_whose_address_collectors_write_differently_counts_once():
    counter = ProductionCounter()
    for host in ("[2001:db8::1]", "[2001:DB8::1]", "[2001:db8:0::1]", "10.0.0.7", "[::ffff:10.0.0.7]"):
        for key, kind in ((host, "host"), (f"{host}:80/tcp", "service")):
            counter.add(Discovery(kind=kind, key=key, data={}, confidence=1))
    counts = counter.counts(complete=True)
    assert (counts.hosts, counts.places) == (2, {"80/tcp": 2})


def test_many_hosts_and_many_networks_that_were_left_out_are_counted_at_once():
    left_out = [IPv4Network((10 * 2**24 + 256 * number, 25)) for number in range(4000)]
    counted = ProductionCounter(exclude=left_out[:2000])
    for number in range(10_000):
        counted.add(Discovery(kind="host", key=f"192.0.{number // 256}.{number % 256}"))
    counted.not_covered(left_out)
    began = time.process_time()
    counted.add(Discovery(kind="host", key="10.0.0.1"))
    # Each with each, this takes more than ten seconds.
    assert counted.counts(complete=True).hosts_left_out == 4000 * 128
    assert time.process_time() - began < 2


def test_what_a_run_left_out_is_a_number_of_addresses_at_which_nothing_was_found():
    counted = ProductionCounter(exclude=[ip_network("10.213.0.8/30")])
    for address in ("10.213.0.1", "10.213.0.9", "10.213.1.1", "a-name"):
        counted.add(Discovery(kind="host", key=address))
    counted.not_covered([ip_network("10.213.0.10/32"), ip_network("10.213.1.0/30")])
    made = counted.counts(complete=True)
    # 10.213.0.9 is excluded; 10.213.1.1 was found although one collector did not look there.
    assert (made.hosts, made.hosts_left_out) == (3, 4 + 4 - 1)
    assert made.hosts_seen_in_part == 0, "the collector itself reported it"
    assert "10.213" not in made.model_dump_json()
    assert "hosts_left_out" not in counts_of().model_dump()
    counted.not_covered([ip_network("::/0")])
    assert counted.counts(complete=True).hosts_left_out == MAX_FOUND


@pytest.mark.parametrize(
    ("second", "in_part"),
    [
        ([Discovery(kind="host", key="10.213.0.7")], 1),
        ([service("10.213.0.7:161/udp")], 1),
        ([service("10.213.0.9:161/udp")], 0),
    ],
)
def test_a_host_that_only_another_collector_looked_at_is_seen_in_part(second, in_part):
    counter = ProductionCounter()
    counter.add(service("10.213.0.8:22/tcp"))
    counter.not_covered([ip_network("10.213.0.7/32"), ip_network("10.213.0.8/32")])
    counter.next_collector()
    for each in second:
        counter.add(each)
    counts = counter.counts(complete=True)
    assert (counts.hosts_left_out, counts.hosts_seen_in_part) == (1 - in_part, in_part)
    assert ("hosts_seen_in_part" in counts.model_dump()) == bool(in_part)
