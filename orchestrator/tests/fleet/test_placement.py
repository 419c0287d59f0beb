"""Where a session stands: on one host if it fits there, else on the fewest; by ceilings, not by hope."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dryrun_orchestrator.fleet.placement import Needs, Placement, Room, place

TWENTY = [f"s{number}" for number in range(20)]


def rooms(**containers):
    return [Room(host, number, 4) for host, number in containers.items()]


def test_a_session_that_fits_on_one_host_stands_whole_on_the_emptiest():
    placement = place(Needs(TWENTY, 2), rooms(a=30, b=40, c=22))
    assert placement is not None
    assert (placement.hosts, placement.is_spread) == (("b",), False)
    assert placement.taken() == {"b": 22}


def test_one_that_fits_nowhere_takes_the_fewest_hosts_and_says_why():
    placement = place(Needs(TWENTY, 2), rooms(a=5, b=19, c=4))
    assert placement is not None
    assert placement.is_spread
    assert placement.reason == "3 on a, 17 on b, collectors on b: b has room for 19"
    assert placement.taken() == {"a": 3, "b": 19}


def test_nothing_is_placed_by_hope():
    assert place(Needs(TWENTY, 2), rooms(a=10, b=11)) is None
    assert place(Needs(TWENTY, 2), rooms(a=21)) is None
    assert place(Needs(TWENTY, 2), [Room("a", 30, 0)]) is None
    assert place(Needs(TWENTY, 2), [Room("a", 30, 0), Room("b", 11, 1), Room("c", 10, 1)]) is None


def test_targets_fewer_than_hosts_are_spread_over_the_emptiest():
    placement = place(Needs(TWENTY[:2], 2, "targets"), rooms(a=20, b=60, c=40))
    assert placement is not None
    assert (placement.services, placement.collectors) == ({"s0": "b", "s1": "c"}, "b")


def test_a_template_may_spread_its_targets_over_all_hosts():
    placement = place(Needs(TWENTY, 2, "targets"), rooms(a=60, b=60, c=60))
    assert placement is not None
    assert Counter(placement.services.values()) == {"a": 7, "b": 7, "c": 6}


def test_a_template_may_keep_collectors_apart_from_every_target():
    placement = place(Needs(TWENTY, 2, "collectors"), rooms(a=60, b=60, c=10))
    assert placement is not None
    assert placement.collectors == "c"
    assert "c" not in placement.services.values()
    assert place(Needs(TWENTY, 2, "collectors"), rooms(a=60)) is None


def test_a_placement_outlives_the_process():
    placement = place(Needs(TWENTY, 2), rooms(a=3, b=19))
    assert placement is not None
    assert Placement.from_json(placement.to_json()) == placement


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=8),
    st.integers(1, 20),
    st.sampled_from([1, 2]),
    st.sampled_from([None, "targets", "collectors"]),
)
def test_no_host_ever_gets_more_than_it_has_room_for(containers, targets, collectors, spread):
    hosts = {f"h{number}": room for number, room in enumerate(containers)}
    needs = Needs(TWENTY[:targets], collectors, spread)
    placement = place(needs, rooms(**hosts))
    if placement is None:
        # Whole on one host is never refused where it fits.
        assert spread is not None or max(containers) < needs.containers
        return
    assert set(placement.services) == set(needs.services)
    assert all(number <= hosts[host] for host, number in placement.taken().items())
    assert placement.taken().total() == needs.containers
