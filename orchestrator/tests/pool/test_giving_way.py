"""Which prepared sessions of a fleet give way: as few as are needed, and none for nothing."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from dryrun_orchestrator.fleet.placement import Needs, Room, as_good, place
from dryrun_orchestrator.pool.giving_way import Prepared, giving_way


def identity(number):
    return UUID(int=number)


def rooms(**containers):
    return [Room(host, number, 4) for host, number in containers.items()]


def needs(targets, **changes):
    return Needs([f"s{number}" for number in range(targets)], 2, **changes)


HELD = [Prepared(identity(number), host, 7) for number, host in enumerate("abc")]


def test_one_gives_way_where_one_is_enough():
    assert giving_way([needs(5)], rooms(a=0, b=0, c=0), HELD, crosses=True) == [identity(0)]


def test_only_the_host_that_helps_gives_way():
    assert giving_way([needs(10)], rooms(a=0, b=0, c=5), HELD, crosses=True) == [identity(2)]


def test_nobody_gives_way_to_whom_it_would_not_help():
    assert giving_way([needs(20)], rooms(a=0, b=0, c=0), HELD, crosses=False) == []
    elsewhere = needs(5, labels={"zone": "lab"})
    assert giving_way([elsewhere], rooms(a=0, b=0, c=0), HELD, crosses=True) == []


def test_nobody_gives_way_to_those_behind_one_that_has_to_wait_on():
    assert giving_way([needs(20), needs(5)], rooms(a=0, b=0, c=0), HELD, crosses=False) == []


def test_one_session_is_not_spread_where_it_would_fit_on_one_host():
    assert giving_way([needs(5)], rooms(a=5, b=5, c=5), HELD, crosses=True) == [identity(0)]


def test_each_that_waits_gets_room():
    assert giving_way([needs(5), needs(5)], rooms(a=0, b=0, c=0), HELD, crosses=True) == [
        identity(0),
        identity(1),
    ]


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 4), st.integers(3, 22)), max_size=10),
    st.lists(st.tuples(st.integers(1, 20), st.sampled_from([None, "targets", "collectors"])), max_size=4),
    st.booleans(),
)
def test_the_first_that_waits_finds_as_good_a_place_and_none_too_many_go(free, held, waiting, crosses):
    left = [Room(str(number), containers, 3) for number, containers in enumerate(free)]
    prepared = [
        Prepared(identity(number), str(host), containers) for number, (host, containers) in enumerate(held)
    ]
    wanted = [needs(targets, spread=spread) for targets, spread in waiting]
    known = [each for each in prepared if int(each.host) < len(free)]

    def after(gone):
        found = {room.host: room for room in left}
        for each in known:
            if each.id in gone:
                room = found[each.host]
                found[each.host] = Room(room.host, room.containers + each.containers, room.sessions + 1)
        return found.values()

    going = giving_way(wanted, left, prepared, crosses=crosses)
    assert len(set(going)) == len(going)
    assert set(going) <= {each.id for each in known}
    if not wanted:
        assert going == []
        return
    best = place(wanted[0], after({each.id for each in known}), crosses=crosses)
    assert (going == []) if best is None else as_good(place(wanted[0], after(going), crosses=crosses), best)
    first = giving_way(wanted[:1], left, prepared, crosses=crosses)
    for each in first:
        assert not as_good(place(wanted[0], after(set(first) - {each}), crosses=crosses), best)
