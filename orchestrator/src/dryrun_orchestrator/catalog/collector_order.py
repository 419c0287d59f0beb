"""Sorts collectors so that each runs after those it depends on."""

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol, Self


class Ordered(Protocol):
    """What the sorting needs to know of a collector."""

    @property
    def name(self) -> str:
        """Its name, which breaks ties."""

    @property
    def needs(self) -> frozenset[str]:
        """Kinds whose discoveries by earlier collectors it receives."""

    @property
    def provides(self) -> frozenset[str]:
        """Kinds that others may need."""

    def waits_for(self, other: Self) -> bool:
        """Return whether `other` must run before it."""


class CollectorOrderError(ValueError):
    """These collectors cannot all run: an unmet need or a cycle; `problems` lists all."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


def order_collectors[C: Ordered](collectors: Iterable[C]) -> tuple[C, ...]:
    """Sort so that each comes after all that provide a kind it needs, otherwise by name.

    Raises CollectorOrderError with every unmet need and the cycle, if any.
    """
    waiting = {collector.name: collector for collector in sorted(collectors, key=lambda each: each.name)}
    providers = {
        name: {other.name for other in waiting.values() if collector.waits_for(other)}
        for name, collector in waiting.items()
    }
    problems: list[str] = []
    for name, collector in waiting.items():
        others = frozenset[str]().union(*(waiting[other].provides for other in providers[name]))
        problems.extend(
            f"the collector {name} needs {kind}, which no other of these collectors provides"
            for kind in sorted(collector.needs - others)
        )
    ordered: list[C] = []
    while waiting:
        ready = [collector for name, collector in waiting.items() if not providers[name] & waiting.keys()]
        if not ready:
            circle = ", ".join(_circle(providers, waiting))
            problems.append(f"these collectors wait for each other in a circle: {circle}")
            break
        ordered.extend(ready)
        for collector in ready:
            del waiting[collector.name]
    if problems:
        raise CollectorOrderError(problems)
    return tuple(ordered)


def _circle(providers: Mapping[str, set[str]], waiting: Collection[str]) -> list[str]:
    # A collector that waits for the cycle but is not in it: nobody waits for it.
    members = set(waiting)
    while True:
        awaited = {name for name in members if any(name in providers[other] for other in members)}
        if awaited == members:
            return sorted(members)
        members = awaited
