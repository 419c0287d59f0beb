"""How many hosts, services and products will be found, and of how many nothing is known. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from approval_api.forecasting.chance import Stratum, expect
from approval_api.forecasting.rehearsals import Rehearsals, SeenClass
from dryrun_contract.census import ClassService, LevelName
from dryrun_contract.network_forecast import Group, InsideGroup
from dryrun_contract.observation import SeenService, SeenTarget

_NAMES_ITSELF: frozenset[LevelName] = frozenset({"same_version", "same_product", "banner"})
"""Levels at which a stand-in shows the inventory's product. A relative only answers like it."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The three ways to group what an inventory counts, and what it does not count."""

    kinds: tuple[Group, ...]
    places: tuple[Group, ...]
    products: tuple[Group, ...]
    inside: tuple[InsideGroup, ...]


@dataclass(slots=True)
class _Pile:
    """Strata with the groups they belong to, and what no stratum speaks for."""

    strata: list[Stratum] = field(default_factory=list)
    groups: list[tuple[str, ...]] = field(default_factory=list)
    covered: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    levels: defaultdict[str, Counter[LevelName]] = field(default_factory=lambda: defaultdict(Counter))
    spellings: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, hosts: int, seen: tuple[float, int] | None, level: LevelName | None, *groups: str) -> None:
        """Count `hosts` in each group; without anything `seen` they are unknown."""
        for group in groups:
            (self.unknown if seen is None else self.covered)[group] += hosts
            if level is not None:
                self.levels[group]["nothing" if seen is None else level] += hosts
        if seen is not None:
            self.strata.append(Stratum(hosts, *seen))
            self.groups.append(groups)

    def made(self) -> dict[str, Group]:
        """Return the groups by name, the largest first."""
        found = expect(self.strata, self.groups)
        totals = self.covered + self.unknown
        return {
            name: Group(
                name=name,
                total=total,
                covered=self.covered[name],
                unknown=self.unknown[name],
                found=found.get(name),
                levels=dict(self.levels[name]),
                spellings=tuple(self.spellings[name])[:8],
            )
            for name, total in sorted(totals.items(), key=lambda item: (-item[1], item[0]))
        }


_ALL = ""
"""The group of everything of a kind; no place and no product is called so."""


def count(rehearsals: Rehearsals) -> Counts:
    """Return the groups of hosts, services and products, and what else was found inside them."""
    hosts, services, products = _Pile(), _Pile(), _Pile()
    for each in rehearsals.classes:
        hosts.add(each.host_class.hosts, each.mean(lambda seen: float(seen.found)), None, _ALL)
        for service in each.host_class.services:
            seen = [tuple(_at(sessions, service.place)) for sessions in each.targets]
            _add(services, products, service, each.host_class.hosts, seen)
    hosts.add(rehearsals.hosts - rehearsals.hosts_covered, None, None, _ALL)
    alike = _Alike(rehearsals.classes)
    for row in rehearsals.outside:
        _add(services, products, row, row.count, alike.seen(row))
    if rehearsals.beyond:
        services.add(rehearsals.beyond, None, "nothing", _ALL)
    made = {"host": hosts.made(), "service": services.made(), "product": products.made()}
    return Counts(
        kinds=tuple(
            groups[_ALL].model_copy(update={"name": name})
            for name, groups in made.items()
            if _ALL in groups and groups[_ALL].total
        ),
        places=_named(made["service"]),
        products=_named(made["product"]),
        inside=_inside(rehearsals.classes),
    )


def _named(groups: dict[str, Group]) -> tuple[Group, ...]:
    return tuple(group for name, group in groups.items() if name != _ALL)


def _at(sessions: Iterable[SeenTarget], place: str) -> list[SeenService]:
    return [seen.services[place] for seen in sessions if place in seen.services]


def _add(
    services: _Pile,
    products: _Pile,
    service: ClassService,
    hosts: int,
    seen: Sequence[Sequence[SeenService]],
) -> None:
    """Count a service of so many hosts by what was `seen` of it: of each target, once for each session."""
    level = service.level
    known = [sessions for sessions in seen if sessions] if level != "nothing" else []
    found = [sum(each.found for each in sessions) / len(sessions) for sessions in known]
    services.add(hosts, (sum(found), len(found)) if found else None, level, _ALL, service.place)
    if service.product is None:
        return
    judged = []
    for sessions in known if level in _NAMES_ITSELF else ():
        identified = [each.identified for each in sessions if each.identified is not None]
        if identified:
            judged.append(sum(identified) / len(identified))
            for each in sessions:
                if each.called:
                    products.spellings[service.product][each.called] = None
    products.add(hosts, (sum(judged), len(judged)) if judged else None, level, _ALL, service.product)


class _Alike:
    """What was seen of services like those of hosts that no target stands for."""

    def __init__(self, classes: Sequence[SeenClass]) -> None:
        self._seen: dict[tuple[str | None, str | None], list[tuple[SeenService, ...]]] = {}
        for each in classes:
            for service in each.host_class.services:
                if service.level == "nothing":
                    continue
                for sessions in each.targets:
                    at_place = tuple(_at(sessions, service.place))
                    if at_place and service.product is not None:
                        for name in ((service.product, service.place), (service.product, None)):
                            self._seen.setdefault(name, []).append(at_place)

    def seen(self, service: ClassService) -> list[tuple[SeenService, ...]]:
        """Return what was seen of the same product at the same place, else anywhere, as if on one target.

        Another class's targets say less than this class's own would, however many they are.
        """
        if service.product is None:
            return []
        found = self._seen.get((service.product, service.place)) or self._seen.get((service.product, None))
        return [tuple(each for sessions in found for each in sessions)] if found else []


def _inside(classes: Sequence[SeenClass]) -> tuple[InsideGroup, ...]:
    strata: list[Stratum] = []
    groups: list[tuple[tuple[str, str | None]]] = []
    covered: defaultdict[tuple[str, str | None], float] = defaultdict(float)
    for each in classes:
        targets = len(each.targets)
        sums: defaultdict[tuple[str, str | None], list[float]] = defaultdict(lambda: [0.0, 0.0])
        for sessions in each.targets:
            for seen in sessions:
                for tally in seen.inside:
                    of_row = sums[tally.kind, tally.attribute]
                    of_row[0] += tally.found / len(sessions)
                    of_row[1] += tally.of / len(sessions)
        for name, (found, of) in sums.items():
            in_all = each.host_class.hosts * of / targets
            covered[name] += in_all
            strata.append(Stratum(max(1, round(in_all)), found * targets / of, targets))
            groups.append((name,))
    expected = expect(strata, groups)
    return tuple(
        InsideGroup(kind=name[0], attribute=name[1], covered=round(covered[name], 3), found=expected[name])
        for name in sorted(covered, key=lambda name: (name[0], name[1] or ""))
    )
