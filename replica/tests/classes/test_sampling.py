import hashlib
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_networks import host, network, service

from dryrun_replica.classes import sampling
from dryrun_replica.classes.grouping import ServiceKind, group
from dryrun_replica.classes.sampling import MAX_TARGETS, choose, cut
from dryrun_replica.inventory.model import Inventory

services = st.builds(
    service,
    st.integers(80, 84),
    st.sampled_from([None, "nginx", "Apache httpd", "OpenSSH", "PostgreSQL", "Redis"]),
    st.sampled_from([None, "1.0", "2.0"]),
)
kinds_of_hosts = st.lists(services, max_size=4, unique_by=lambda each: each.port)


@st.composite
def networks(draw, most_kinds: int = 30) -> Inventory:
    kinds = draw(st.lists(kinds_of_hosts, min_size=1, max_size=most_kinds))
    repeated = [kind for kind in kinds for _ in range(draw(st.integers(1, 12)))]
    return network(*(host(f"web-{number}", *kind) for number, kind in enumerate(repeated, 1)))


def kinds(inventory: Inventory, names=None):
    return {
        ServiceKind.of(each)
        for host in inventory.hosts
        if names is None or host.name in names
        for each in host.services
    }


@given(networks(), st.integers(0, 9999), st.integers(1, 25))
def test_a_sample_has_its_size_and_says_what_it_leaves_out(inventory, seed, most):
    classes = group(inventory)
    sample = choose(classes, seed, most)
    names = [name for each in sample.chosen for name in each.hosts]
    assert len(names) == len(set(names)) == sample.targets <= most
    assert set(names) <= {host.name for host in inventory.hosts}
    sizes = {each.name: each.size for each in classes}
    assert {each.host_class for each in sample.chosen} | {
        each.host_class for each in sample.left_out
    } == sizes.keys()
    assert all(each.hosts == sizes[each.host_class] for each in sample.left_out)
    # Weights add up to the network that is stood for.
    for each in sample.chosen:
        assert each.weight * len(each.hosts) == pytest.approx(sizes[each.host_class])
    for each in sample.chosen:
        members = next(one.members for one in classes if one.name == each.host_class)
        assert set(each.hosts) <= set(members)


@given(networks(), st.integers(0, 9999))
def test_the_seed_alone_decides(inventory, seed):
    assert choose(group(inventory), seed) == choose(group(inventory), seed)


def test_chance_is_a_digest_which_no_version_of_python_changes():
    inventory = network(*(host(f"web-{number}", service(80, "nginx")) for number in range(1, 101)))
    (chosen,) = choose(group(inventory), 7).chosen
    drawn = sorted(
        (each.name for each in inventory.hosts),
        key=lambda name: hashlib.sha256(f"7/host/{name}".encode()).digest(),
    )
    assert set(chosen.hosts) == set(drawn[:MAX_TARGETS])


def test_a_cover_that_lacks_a_product_is_not_taken_where_another_has_them_all(monkeypatch):
    hosts = [
        host(f"h-{number}", service(1000 + number, f"Product {number % MAX_TARGETS}")) for number in range(34)
    ]
    classes = group(network(*hosts))
    whole, lacking = classes[:MAX_TARGETS], classes[-MAX_TARGETS:-1]
    monkeypatch.setattr(sampling, "_cover", lambda _, most, seed: lacking if seed == 1 else whole)
    names = [each.host_class for each in choose(classes, 1).chosen]
    assert {kind.software for each in classes if each.name in names for kind in each.kinds} == {
        kind.software for each in classes for kind in each.kinds
    }


def test_another_seed_takes_other_hosts_of_the_same_classes():
    inventory = network(*(host(f"web-{number}", service(80, "nginx")) for number in range(1, 101)))
    samples = [choose(group(inventory), seed) for seed in range(5)]
    assert len({sample.chosen[0].hosts for sample in samples}) == 5
    assert {sample.targets for sample in samples} == {MAX_TARGETS}


@given(networks(most_kinds=19), st.integers(0, 9999))
def test_every_class_is_there_when_all_fit(inventory, seed):
    classes = group(inventory)
    sample = choose(classes, seed)
    assert sample.left_out == ()
    assert kinds(inventory, {name for each in sample.chosen for name in each.hosts}) == kinds(inventory)


@given(networks(), st.integers(0, 9999))
def test_every_product_is_there_when_a_class_each_would_fit(inventory, seed):
    sample = choose(group(inventory), seed)
    names = {name for each in sample.chosen for name in each.hosts}
    products = {kind.software for kind in kinds(inventory)}
    if len(products) <= MAX_TARGETS:
        assert {kind.software for kind in kinds(inventory, names)} == products
        assert all(each.only_there == () for each in sample.left_out)


@pytest.mark.parametrize("first", [0, 2, 40])
def test_where_products_do_not_fit_two_seeds_together_have_every_class(first):
    hosts = [host(f"h-{number}", service(1000 + number, f"Product {number}")) for number in range(34)]
    classes = group(network(*hosts))
    samples = [choose(classes, seed) for seed in (first, first + 1)]
    assert [sample.targets for sample in samples] == [MAX_TARGETS, MAX_TARGETS]
    together = {each.host_class for sample in samples for each in sample.chosen}
    assert together == {each.name for each in classes}


def test_many_classes_have_turns_of_few_covers(monkeypatch):
    covers = []
    monkeypatch.setattr(sampling, "_cover", lambda classes, most, chance: covers.append(1) or classes[:most])
    hosts = [host(f"h-{number}", service(1000 + number, f"Product {number}")) for number in range(1000)]
    choose(group(network(*hosts)), 9999)
    assert len(covers) <= 11


@given(networks(), st.integers(0, 9999))
def test_a_larger_class_never_has_fewer_targets(inventory, seed):
    classes = group(inventory)
    counts = Counter({each.host_class: len(each.hosts) for each in choose(classes, seed).chosen})
    sizes = sorted(
        ((each.size, counts[each.name]) for each in classes if counts[each.name] and each.example.services),
        reverse=True,
    )
    for (size, targets), (smaller, fewer) in pairwise(sizes):
        assert targets >= fewer or size == smaller


def test_shares_are_in_proportion():
    shares = (("web", 60), ("database", 30), ("mail", 10))
    inventory = network(
        *(
            host(f"{role}-{number}", service(80 + index, role))
            for index, (role, size) in enumerate(shares)
            for number in range(1, size + 1)
        )
    )
    sample = choose(group(inventory), 0)
    assert [(each.host_class, len(each.hosts), each.weight) for each in sample.chosen] == [
        ("web-a", 12, 5),
        ("database-a", 6, 5),
        ("mail-a", 2, 5),
    ]


def test_hosts_that_answer_nowhere_have_one_target():
    quiet = [host(f"host-{number}") for number in range(1, 301)]
    inventory = network(*quiet, *(host(f"web-{number}", service(80, "nginx")) for number in range(1, 31)))
    sample = choose(group(inventory), 0)
    assert [(each.host_class, len(each.hosts)) for each in sample.chosen] == [("host-a", 1), ("web-a", 19)]
    assert sample.chosen[0].weight == 300


def test_with_too_many_classes_products_go_before_versions_and_versions_before_ports():
    rare = [host(f"rare-{number}", service(1000 + number, f"Product {number}")) for number in range(10)]
    versions = [host(f"v-{number}", service(80, "nginx", f"1.{number}")) for number in range(8)]
    ports = [
        host(f"p-{number}-{n}", service(9000 + number, "nginx", "1.0"))
        for number in range(30)
        for n in range(5)
    ]
    inventory = network(*rare, *versions, *ports)
    sample = choose(group(inventory), 0)
    there = kinds(inventory, {name for each in sample.chosen for name in each.hosts})
    assert {kind.software for kind in there} == {kind.software for kind in kinds(inventory)}
    assert {kind.release for kind in there} == {kind.release for kind in kinds(inventory)}
    assert sample.targets == MAX_TARGETS
    assert len(sample.left_out) == len(group(inventory)) - MAX_TARGETS


def test_products_that_do_not_fit_are_listed_and_are_the_rarest():
    hosts = [
        host(f"h-{number}-{n}", service(1000 + number, f"Product {number}"))
        for number in range(40)
        for n in range(1 + (number >= 20))
    ]
    sample = choose(group(network(*hosts)), 0)
    lost = {name for each in sample.left_out for name in each.only_there}
    assert lost == {f"Product {number}" for number in range(20)}


@given(networks(), st.integers(1, 25))
@settings(max_examples=50)
def test_all_templates_together_have_every_host_once(inventory, most):
    samples = cut(group(inventory), most)
    names = [name for sample in samples for each in sample.chosen for name in each.hosts]
    assert sorted(names) == sorted(host.name for host in inventory.hosts)
    assert all(1 <= sample.targets <= most for sample in samples)
    assert len(samples) == -(-len(names) // most)
    assert max(sample.targets for sample in samples) - min(sample.targets for sample in samples) <= 1
