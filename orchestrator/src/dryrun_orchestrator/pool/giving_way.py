"""Decides which prepared sessions of a fleet are removed so that sessions that wait find room.

Only as many as are needed, and none where their room would help nobody: who waits for a running session to
end, or for a host to come back, gains nothing from an empty pool.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from dryrun_orchestrator.fleet.placement import Needs, Placement, Room, as_good, place


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared session: it stands whole on one host, and holds room for so many containers."""

    id: UUID
    host: str
    containers: int


def giving_way(
    waiting: Iterable[Needs], rooms: Iterable[Room], prepared: Iterable[Prepared], *, crosses: bool
) -> list[UUID]:
    """Return the ids of those of `prepared` that have to go so that waiting sessions find places.

    `prepared` lists first what is to go first; `rooms` are what all sessions leave, prepared ones included.
    No session overtakes one that has to go on waiting.
    """
    left = {room.host: room for room in rooms}
    staying = [each for each in prepared if each.host in left]
    going: list[UUID] = []
    for needs in waiting:
        best = place(needs, _without(left, staying).values(), crosses=crosses)
        if best is None:
            break
        chosen = _fewest(needs, left, staying, best, crosses=crosses)
        left = _without(left, chosen)
        placement = place(needs, left.values(), crosses=crosses)
        assert placement is not None, "as good as the best"
        left = _with(left, placement)
        staying = [each for each in staying if each not in chosen]
        going += [each.id for each in chosen]
    return going


def _fewest(
    needs: Needs, left: Mapping[str, Room], prepared: Sequence[Prepared], best: Placement, *, crosses: bool
) -> list[Prepared]:
    """Return which of `prepared` have to go for a placement as good as the best."""

    def suffices(gone: Sequence[Prepared]) -> bool:
        return as_good(place(needs, _without(left, gone).values(), crosses=crosses), best)

    chosen: list[Prepared] = []
    for each in prepared:
        if suffices(chosen):
            break
        chosen.append(each)
    # Those on hosts that did not help stay, the best to keep first.
    for each in reversed(tuple(chosen)):
        others = [other for other in chosen if other is not each]
        if suffices(others):
            chosen = others
    return chosen


def _without(left: Mapping[str, Room], gone: Iterable[Prepared]) -> dict[str, Room]:
    rooms = dict(left)
    for each in gone:
        room = rooms[each.host]
        rooms[each.host] = replace(
            room, containers=room.containers + each.containers, sessions=room.sessions + 1
        )
    return rooms


def _with(left: Mapping[str, Room], placement: Placement) -> dict[str, Room]:
    rooms = dict(left)
    for host, containers in placement.taken().items():
        room = rooms[host]
        rooms[host] = replace(room, containers=room.containers - containers, sessions=room.sessions - 1)
    return rooms
