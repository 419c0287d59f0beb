"""Says of every service of a network what would stand for it, and how near that comes."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from pydantic import Field

from dryrun_contract.base import Word
from dryrun_replica.classes.grouping import HostClass, ServiceKind
from dryrun_replica.inventory.model import Host
from dryrun_replica.levels import LEVELS, Level, Match

type MatchHost = Callable[[Host], tuple[Match, ...]]
"""What would stand for each service of a host, in their order; `recipes` knows."""

_OF_ANOTHER_CLASS = "its class is not in the sample; a target of another class has the same software"
_NOT_SAMPLED = "its class is not in the sample, and no target has this software"


class CoverageRow(Word):
    """Services of one product and version, and what stands for them."""

    label: str
    """Product and version as the inventory has them, else the protocol, else what a scanner saw."""
    places: tuple[str, ...]
    """Where they are served, e.g. `443/tcp`; at most MAX_PLACES."""
    services: int = Field(ge=1)
    level: Level
    stands_on: str | None
    """Product and version of the stand-in."""
    why: str


class Coverage(Word):
    """How well a template covers a network: services by level, and the rows behind the figures."""

    services: int
    levels: dict[Level, int]
    """Every level, also those with none; together they are `services`."""
    rows: tuple[CoverageRow, ...]
    """The worst level first, in it the most services first."""

    @property
    def open_ports(self) -> int:
        """Of the level `BANNER`, how many stand on an open port that says nothing."""
        return sum(row.services for row in self.rows if row.level is Level.BANNER and row.stands_on is None)

    @property
    def real(self) -> int:
        """How many services stand on the inventory's own product."""
        return sum(count for level, count in self.levels.items() if level.is_real_software)


MAX_PLACES = 12


def cover(
    classes: Sequence[HostClass], matches: Mapping[str, tuple[Match, ...]], chosen: frozenset[str]
) -> Coverage:
    """Return the coverage of all hosts of `classes` by stand-ins of those that are `chosen`.

    `matches` has every class's matches by its name. A class that is not chosen is covered as far as a chosen
    one runs the same software for it.
    """
    by_release = {
        ServiceKind.of(service).release: match
        for each in classes
        if each.name in chosen
        for service, match in zip(each.example.services, matches[each.name], strict=True)
        if match.level is not Level.NOTHING
    }
    counts: Counter[tuple[str, Level, str | None, str]] = Counter()
    places: dict[tuple[str, Level, str | None, str], dict[str, None]] = defaultdict(dict)
    for each in classes:
        for service, own in zip(each.example.services, matches[each.name], strict=True):
            match = own
            if each.name not in chosen and own.level is not Level.NOTHING:
                other = by_release.get(ServiceKind.of(service).release)
                match = (
                    Match(level=Level.NOTHING, why=_NOT_SAMPLED)
                    if other is None
                    else other.model_copy(update={"why": _OF_ANOTHER_CLASS})
                )
            stands_on = " ".join(filter(None, (match.product, match.version))) or None
            row = (service.shown, match.level, stands_on, match.why)
            counts[row] += each.size
            places[row][service.place] = None
    levels = dict.fromkeys(LEVELS, 0)
    for (_, level, _, _), count in counts.items():
        levels[level] += count
    in_order = sorted(counts, key=lambda row: (-LEVELS.index(row[1]), -counts[row], row[0]))
    return Coverage(
        services=sum(counts.values()),
        levels=levels,
        rows=tuple(
            CoverageRow(
                label=row[0],
                places=tuple(places[row])[:MAX_PLACES],
                services=counts[row],
                level=row[1],
                stands_on=row[2],
                why=row[3],
            )
            for row in in_order
        ),
    )
