"""The proportions of durations."""

from random import Random

import pytest
from bench.network.hosts import read_networks
from bench.parts.duration import COPIES, Point, copied, fit


def points(seconds, sizes=((2, 2), (5, 20), (12, 13), (40, 43), (13, 49))):
    return [Point("x", hosts, services, seconds(hosts, services)) for hosts, services in sizes]


def test_proportions_are_found_again():
    found = fit(points(lambda hosts, services: 10 + 5 * hosts + 0.3 * services))
    assert (found.fixed["x"], found.host, found.service) == pytest.approx((10, 5, 0.3))
    assert found.error == pytest.approx(0, abs=1e-9)


def test_no_proportion_is_negative_and_what_is_left_is_still_the_least():
    found = fit(points(lambda hosts, services: max(0.5, 20 + hosts - 0.1 * services)))
    assert (found.service, min(found.fixed["x"], found.host) > 0) == (0, True)


def test_a_network_with_a_slow_server_makes_no_growth():
    slow = [Point("slow", hosts, 4 * hosts, 25.0) for hosts in (13, 26, 39)]
    fast = [Point("fast", hosts, hosts, 12.0) for hosts in (5, 10, 15)]
    found = fit([*slow, *fast])
    assert (found.fixed["slow"], found.fixed["fast"]) == pytest.approx((25.0, 12.0))
    assert (found.host, found.service) == pytest.approx((0, 0), abs=1e-9)


def test_copies_have_names_of_their_own():
    hosts = read_networks()["company"][:20]
    most = max(COPIES.values())
    names = [host.name for host in copied(hosts, most)]
    assert len(set(names)) == len(names) == 20 * most
    # Of a /26, without its own addresses, the reserved gateway and the scanner.
    assert len(names) <= 64 - 4


def test_noise_moves_them_little():
    chance = Random(7)
    found = fit(
        points(
            lambda hosts, services: (4 + 0.3 * hosts + 0.2 * services) * chance.uniform(0.95, 1.05),
            [(hosts, services) for hosts in (3, 6, 12, 40) for services in (hosts, 4 * hosts)],
        )
    )
    assert found.fixed["x"] == pytest.approx(4, rel=0.2)
    assert found.host + found.service == pytest.approx(0.5, rel=0.2)
    assert found.error < 0.1


def test_sizes_that_grow_together_have_a_fit_all_the_same():
    found = fit(points(lambda hosts, _: 3.0 * hosts, [(2, 2), (4, 4), (8, 8)]))
    assert found.error == pytest.approx(0, abs=1e-9)
