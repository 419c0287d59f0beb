"""Finds which networks that scans missed no later ones looked at, without comparing each with each.

Of two networks one lies inside the other, or they have no address in common. So the missed networks inside a
network are neighbours once all are in order, outer ones first; that is how those are found that a later scan
of a whole network looked at. What parts cover together is read from ranges of addresses, smaller networks
first: what is noted by then lies inside.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from itertools import chain
from math import inf
from typing import NamedTuple

from approval_api.checks.times import Times

type Network = IPv4Network | IPv6Network

_IPV6 = 2**32
"""Where the addresses of IPv6 begin: behind those of IPv4."""
_STEPS = 20
"""How many networks, each with hundreds of excluded ones, are looked at before others have a turn."""


class Span(NamedTuple):
    """A network as numbers: its first address, and the one behind its last."""

    first: int
    end: int

    @classmethod
    def of(cls, network: Network) -> "Span":
        """Return a network as numbers."""
        first = int(network.network_address) + (_IPV6 if network.version == 6 else 0)
        return cls(first, first + (1 << (network.max_prefixlen - network.prefixlen)))

    @property
    def network(self) -> Network:
        """Return the network."""
        bits = (self.end - self.first).bit_length() - 1
        if self.first < _IPV6:
            return IPv4Network((self.first, 32 - bits))
        return IPv6Network((self.first - _IPV6, 128 - bits))


class Part(NamedTuple):
    """A network that a scan looked at, or missed."""

    span: Span
    excluded: tuple[Span, ...]
    """What inside it the scan left out on purpose; in order, and apart from each other."""
    at: float
    """When the scan was reported."""


def outermost(networks: Iterable[Span]) -> list[Span]:
    """Return those of the networks that lie in no other one, in order."""
    found: list[Span] = []
    for span in sorted(networks, key=_place):
        if not found or span.first >= found[-1].end:
            found.append(span)
    return found


def without(networks: Iterable[Span], excluded: Sequence[Span]) -> Iterator[tuple[Span, tuple[Span, ...]]]:
    """Yield each network that none of `excluded`, outermost ones, holds whole, with those that lie inside."""
    places = [*map(_place, excluded)]
    for span in networks:
        begin, end = _those_inside(span, places)
        if not any(_holds(each, span) for each in excluded[max(0, begin - 1) : begin + 1]):
            yield span, tuple(excluded[begin:end])


async def uncovered(missed: Collection[Part], looked_at: Collection[Part]) -> list[Part]:
    """Return which of `missed` nothing of `looked_at` that was reported later covers.

    A network covers those inside, except those that lie in one that its scan excluded. Those inside a missed
    one cover it together, with what its own scan excluded.
    """
    left = await _not_looked_at_whole(missed, looked_at)
    return await _not_looked_at_in_parts(left, looked_at)


async def _not_looked_at_whole(missed: Collection[Part], looked_at: Collection[Part]) -> list[Part]:
    places = sorted({_place(part.span) for part in missed})
    number = {place: number for number, place in enumerate(places)}
    times = Times(len(places))
    async for part in _with_turns(looked_at):
        begin, end = _those_inside(part.span, places)
        for hole in part.excluded if begin < end else ():
            hole_begins, hole_ends = _those_inside(hole, places)
            times.raise_to(part.at, begin, hole_begins)
            begin = hole_ends
        times.raise_to(part.at, begin, end)
    return [part for part in missed if times.lowest(at := number[_place(part.span)], at + 1) <= part.at]


async def _not_looked_at_in_parts(missed: Collection[Part], looked_at: Collection[Part]) -> list[Part]:
    latest = await _latest_inside((part.span for part in missed), looked_at)
    named = (*latest, *(span for part in missed for span in (part.span, *part.excluded)))
    number = {address: number for number, address in enumerate(sorted({*chain.from_iterable(named)}))}
    times = Times(len(number))
    missed_of, looked_at_of = _by_size((part.span, part) for part in missed), _by_size(latest.items())
    left = []
    # Of one size, those missed come first: what was noted until then are parts of them.
    for size in sorted(missed_of.keys() | looked_at_of.keys()):
        async for span, part in _with_turns(missed_of[size]):
            begin, lowest = number[span.first], inf
            for hole in part.excluded:
                lowest = min(lowest, times.lowest(begin, number[hole.first]))
                begin = number[hole.end]
            if min(lowest, times.lowest(begin, number[span.end])) <= part.at:
                left.append(part)
        async for span, at in _with_turns(looked_at_of[size]):
            times.raise_to(at, number[span.first], number[span.end])
    return left


async def _latest_inside(networks: Iterable[Span], looked_at: Iterable[Part]) -> dict[Span, float]:
    """Return when each network that lies in one of `networks` was looked at last."""
    outer = outermost(networks)
    firsts = [span.first for span in outer]
    latest: dict[Span, float] = {}
    async for part in _with_turns(looked_at):
        before = bisect_right(firsts, part.span.first)
        if before and _holds(outer[before - 1], part.span):
            latest[part.span] = max(part.at, latest.get(part.span, -inf))
    return latest


def _by_size[Item](items: Iterable[tuple[Span, Item]]) -> defaultdict[int, list[tuple[Span, Item]]]:
    sizes = defaultdict[int, list[tuple[Span, Item]]](list)
    for span, item in items:
        sizes[span.end - span.first].append((span, item))
    return sizes


def _place(span: Span) -> tuple[int, int]:
    """Return what sorts a network before those inside it."""
    return span.first, -span.end


def _holds(outer: Span, inner: Span) -> bool:
    return outer.first <= inner.first and inner.end <= outer.end


def _those_inside(span: Span, places: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return where, among `places` in order, those of networks inside `span` begin and end."""
    begin = bisect_left(places, _place(span))
    return begin, bisect_left(places, (span.end,), begin)


async def _with_turns[Item](items: Iterable[Item]) -> AsyncIterator[Item]:
    """Yield the items, and let others have a turn now and then."""
    for number, item in enumerate(items):
        if number % _STEPS == 0:
            await asyncio.sleep(0)
        yield item
