"""Chooses the hosts that a template stands for: a stratified sample, or all of them in several templates.

Classes are the strata. First those are taken that bring what no other has: every product, then every version,
then every port, then every class. What is left of the targets is shared in proportion (Sainte-Laguë's
method, which favours neither small classes nor large ones). Each target weighs as much as the hosts it stands
for. All chance is the seed's, and the same in every version of Python. Where one sample cannot hold every
product, neighbouring seeds take turns: each begins with the classes that those before it left out, so that
together they have all.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence

from pydantic import Field

from dryrun_contract.base import Word
from dryrun_replica.classes.grouping import HostClass, ServiceKind, count_kinds
from dryrun_replica.inventory.model import HostName

MAX_TARGETS = 20
"""The most targets that a session may have."""
_MOST_TURNS = 10
"""Each costs a cover of all classes; beyond them the rarest products stay out."""


class Chosen(Word):
    """A class in the sample, with the hosts that stand for it."""

    host_class: HostName
    hosts: tuple[HostName, ...] = Field(min_length=1)
    weight: float
    """How many hosts of the network each of them stands for."""


class LeftOut(Word):
    """A class that no target stands for, and what is lost with it."""

    host_class: HostName
    hosts: int
    only_there: tuple[str, ...]
    """Products that no chosen class has, as people write them."""


class Sample(Word):
    """The hosts that one template stands for."""

    seed: int
    chosen: tuple[Chosen, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def targets(self) -> int:
        """How many targets it has."""
        return sum(len(each.hosts) for each in self.chosen)


def choose(classes: Sequence[HostClass], seed: int, most: int = MAX_TARGETS) -> Sample:
    """Return a stratified sample of at most `most` hosts; the same classes and seed give the same sample."""
    taken = _in_turn(classes, seed, most)
    counts = _share(taken, most, seed)
    by_name = {each.name: each for each in classes}
    chosen = []
    for each in classes:
        if each.name in counts:
            hosts = _some(each.members, counts[each.name], seed)
            chosen.append(Chosen(host_class=each.name, hosts=hosts, weight=each.size / len(hosts)))
    there = {kind.software for each in chosen for kind in by_name[each.host_class].kinds}
    return Sample(
        seed=seed,
        chosen=tuple(chosen),
        left_out=tuple(_left_out(each, there) for each in classes if each.name not in counts),
    )


def cut(classes: Sequence[HostClass], most: int = MAX_TARGETS) -> tuple[Sample, ...]:
    """Return samples of at most `most` hosts that have every host once; hosts of a class stand together.

    Each sample needs as few images as can be, and the samples are of nearly equal size.
    """
    hosts = [(each.name, host) for each in classes for host in each.members]
    count = -(-len(hosts) // most)
    samples = []
    for number in range(count):
        part = hosts[len(hosts) * number // count : len(hosts) * (number + 1) // count]
        names = dict.fromkeys(name for name, _ in part)
        samples.append(
            Sample(
                seed=0,
                chosen=tuple(
                    Chosen(host_class=name, hosts=tuple(host for of, host in part if of == name), weight=1)
                    for name in names
                ),
            )
        )
    return tuple(samples)


def _in_turn(classes: Sequence[HostClass], seed: int, most: int) -> list[HostClass]:
    """Return what covers most; where products do not fit, first what the turns before this one left out."""
    turns = min(_MOST_TURNS, -(-len(classes) // most))
    first = seed - seed % turns
    taken = _cover(classes, most, first)
    if _has_every_product(taken, classes):
        own = _cover(classes, most, seed)
        return own if _has_every_product(own, classes) else taken
    left = list(classes)
    for turn in range(first, seed):
        names = {each.name for each in taken}
        left = [each for each in left if each.name not in names] or list(classes)
        taken = _cover(left, most, turn + 1)
    names = {each.name for each in taken}
    others = [each for each in classes if each.name not in names]
    return [*taken, *_cover(others, most - len(taken), seed)]


def _has_every_product(taken: Sequence[HostClass], classes: Sequence[HostClass]) -> bool:
    return {kind.software for each in taken for kind in each.kinds} == {
        kind.software for each in classes for kind in each.kinds
    }


def _cover(classes: Sequence[HostClass], most: int, seed: int) -> list[HostClass]:
    """Return at most `most` classes, so that they have as much as can be of what the network has."""
    order = {each.name: _lot(seed, "cover", each.name) for each in classes}
    counts = count_kinds(classes)
    left = [each for each in classes if each.example.services]
    taken: list[HostClass] = []
    tiers: tuple[Callable[[ServiceKind], Hashable], ...] = (
        lambda kind: kind.software,
        lambda kind: kind.release,
        lambda kind: kind,
    )
    for tier in tiers:
        weights: Counter[Hashable] = Counter()
        for kind, count in counts.items():
            weights[tier(kind)] += count
        taken += _greedy(left, taken, tier, weights, most - len(taken), order)
        names = {each.name for each in taken}
        left = [each for each in left if each.name not in names]
    # Hosts that answer nowhere are one class among the others: they distinguish a host that is down from one
    # whose ports are all closed.
    rest = sorted(
        [*left, *(each for each in classes if not each.example.services)], key=lambda each: -each.size
    )
    return [*taken, *rest[: most - len(taken)]]


def _greedy(
    classes: Iterable[HostClass],
    taken: Iterable[HostClass],
    tier: Callable[[ServiceKind], Hashable],
    weights: Counter[Hashable],
    room: int,
    order: dict[str, bytes],
) -> list[HostClass]:
    """Weighted set cover: take what adds most until nothing is missing, or there is no room."""
    offers = {each.name: {tier(kind) for kind in each.kinds} for each in classes}
    by_name = {each.name: each for each in classes}
    missing = set(weights) - {tier(kind) for each in taken for kind in each.kinds}
    # With room for every missing kind one class after another, few classes are best; else what weighs most.
    scarce = len(missing) > room
    found: list[HostClass] = []

    def gain(name: str) -> tuple[float, int, bytes]:
        new = offers[name] & missing
        weight = sum(weights[each] for each in new) if scarce else len(new)
        return weight, by_name[name].size, order[name]

    while missing and len(found) < room and offers:
        best = max(offers, key=gain)
        new = offers.pop(best) & missing
        if not new:
            break
        missing -= new
        found.append(by_name[best])
    return found


def _share(taken: Sequence[HostClass], most: int, seed: int) -> dict[str, int]:
    """Return how many hosts of each class are chosen: one, and the rest in proportion to the sizes."""
    counts = {each.name: 1 for each in taken}
    order = {each.name: _lot(seed, "share", each.name) for each in taken}
    # One host that answers nowhere shows what all of them show.
    shared = [each for each in taken if each.example.services]
    for _ in range(most - len(taken)):
        open_to_more = [each for each in shared if counts[each.name] < each.size]
        if not open_to_more:
            break
        best = max(open_to_more, key=lambda each: (each.size / (2 * counts[each.name] + 1), order[each.name]))
        counts[best.name] += 1
    return counts


def _some(members: Sequence[str], count: int, seed: int) -> tuple[str, ...]:
    chosen = set(sorted(members, key=lambda name: _lot(seed, "host", name))[:count])
    return tuple(name for name in members if name in chosen)


def _lot(seed: int, purpose: str, name: str) -> bytes:
    """Return the lot that a name draws."""
    # Not by a random generator: its sequence for a seed may change between Python versions.
    return hashlib.sha256(f"{seed}/{purpose}/{name}".encode()).digest()


def _left_out(host_class: HostClass, there: set[tuple[str, str]]) -> LeftOut:
    only = {
        service.label: None
        for service in host_class.example.services
        if ServiceKind.of(service).software not in there
    }
    return LeftOut(host_class=host_class.name, hosts=host_class.size, only_there=tuple(only))
