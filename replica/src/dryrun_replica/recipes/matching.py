"""Finds what can stand for a service: its product, a relative of its protocol, a banner or nothing."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from dryrun_replica.inventory.contradictions import named_alike
from dryrun_replica.inventory.model import WRAPPED, Host, Service, Transport
from dryrun_replica.levels import Level, Match
from dryrun_replica.recipes.banners import silent
from dryrun_replica.recipes.loading import RecipeBook
from dryrun_replica.recipes.model import (
    CONTAINER_MIB,
    CONTAINER_PIDS,
    MAX_TMPFS_BYTES,
    SPARE_ROOM_BYTES,
    Recipe,
)

SPARE_MIB = 64
SPARE_PIDS = 20
"""Left of what a container has: for connections, health checks and what a scan wakes up."""
_FRONT_MIB, _FRONT_PIDS = 6, 9
"""What stunnel needs, which stands before a service without TLS of its own."""
_BANNERS_MIB = 14
"""One program gives all banners of a host."""
_LIBRARY_PRODUCTS = 3
"""Recipes that go by one name before it is a library's. Two may be a product and its fork."""
_WORDS = re.compile(r"[a-z0-9]+")
_CPE = re.compile(r"cpe:(?:/|2\.3:)a:([^:]+):([^:]+)")
_VERSION = re.compile(r"[0-9]+(?:\.[0-9A-Za-z]+)*")


class Banners(Protocol):
    """The table from which banners are made."""

    def has(self, service: Service) -> bool:
        """Return whether a banner can be made that names the service as the inventory does."""
        ...


@dataclass(frozen=True)
class Matcher:
    """Matches services with recipes.

    `versions` maps recipes to the versions that exist here; empty before the shared root is built for the
    first time. Without `banners` no banner stands for anything.
    """

    book: RecipeBook
    versions: Mapping[str, str] = field(default_factory=dict)
    banners: Banners | None = None
    _names: dict[str, list[Recipe]] = field(init=False, default_factory=dict)
    _cpes: dict[str, list[Recipe]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for recipe in self.book:
            spellings = (recipe.name, recipe.title, *recipe.names.nmap, *recipe.names.others)
            for spelling in dict.fromkeys(map(_normal, spellings)):
                self._names.setdefault(spelling, []).append(recipe)
            for cpe in recipe.names.cpe:
                self._cpes.setdefault(cpe, []).append(recipe)

    def knows(self, product: str) -> bool:
        """Return whether a recipe goes by this name."""
        return _normal(product) in self._names

    def are_alike(self, first: str, second: str) -> bool:
        """Return whether two names are of one product: of one recipe, or where one is not known, alike."""
        one, other = (self._names.get(_normal(name), ()) for name in (first, second))
        if not one or not other:
            return named_alike(first, second)
        return any(recipe in other for recipe in one)

    def match(self, service: Service) -> Match:
        """Return what would stand for one service alone."""
        own = self._own(service)
        if own is not None and self._is_named_by_library(service, own):
            why = f"{service.product} is what many products are built on; one of them"
            return self._matched(own, service, Level.RELATIVE, why)
        if own is not None:
            return self._of_product(service, own)
        relative = None if service.name is None else self.book.relative_of(service.name, service.transport)
        if relative is not None:
            unnamed = "a guess by the port's number" if service.is_guess else "the inventory names no product"
            named = self._why_no_recipe(service) if service.product else unnamed
            return self._matched(relative, service, Level.RELATIVE, f"{named}; the same protocol")
        if self.banners is not None and self.banners.has(service):
            why = "a banner that names it; stands for no software"
            return Match(level=Level.BANNER, product=service.product, version=service.version, why=why)
        if silent(service) is not None:
            return Match(level=Level.BANNER, why=f"an open port, no banner: {self._why_nothing(service)}")
        return Match(level=Level.NOTHING, why=self._why_nothing(service))

    def match_host(self, host: Host) -> tuple[Match, ...]:
        """Return what stands for each service of a host, in their order.

        Services share a container: what does not fit into its memory, processes and tmpfs, the most demanding
        first, a second one of a kind that can be there once only, and what would listen where another recipe
        does, are left out.
        """
        matches = [self.match(service) for service in host.services]
        places: dict[tuple[str, int], int] = {}
        for number, match in enumerate(matches):
            if match.recipe is None:
                continue
            recipe = self.book[match.recipe]
            port = host.services[number].port
            first = next((known for (name, known) in places if name == recipe.name), None)
            if recipe.only_once and first is not None and first != port:
                matches[number] = _left_out(f"a second {recipe.title} cannot be on one host")
                continue
            places[recipe.name, port] = number
        self._leave_out_collisions(host, matches)
        while (excess := self._excess(host, matches)) is not None:
            number, why = excess
            matches[number] = _left_out(why)
        return tuple(matches)

    def _leave_out_collisions(self, host: Host, matches: list[Match]) -> None:
        """Leave out what would listen where another one does; a recipe may serve both transports."""
        holders: dict[tuple[int, Transport], str] = {}
        for number, (service, match) in enumerate(zip(host.services, matches, strict=True)):
            if match.recipe is not None:
                recipe = self.book[match.recipe]
                name, transports = recipe.title, recipe.transports
            elif match.level is Level.BANNER:
                what = "a banner" if match.product else "an open port"
                name, transports = what, (service.transport,)
            else:
                continue
            wanted = [(service.port, transport) for transport in transports]
            taken = next((place for place in wanted if holders.get(place, name) != name), None)
            if taken is not None:
                port, transport = taken
                matches[number] = _left_out(f"{holders[taken]} listens on {port}/{transport} of its host")
                continue
            holders |= dict.fromkeys(wanted, name)

    def _own(self, service: Service) -> Recipe | None:
        fitting = [recipe for recipe in self._named(service) if service.transport in recipe.transports]
        titled = [recipe for recipe in fitting if service.title in recipe.names.titles]
        untitled = [recipe for recipe in fitting if not recipe.names.titles]
        spoken = [recipe for recipe in untitled if recipe.protocol == service.name]
        chosen = titled or spoken or untitled
        # Products of one name, e.g. a library's, look alike to whoever gave it, unless a title says more.
        if not chosen and (service.title is None or len({recipe.name for recipe in fitting}) == 1):
            chosen = fitting
        return chosen[0] if chosen else None

    def _is_named_by_library(self, service: Service, own: Recipe) -> bool:
        """Return whether the inventory's name is that of several products, and nothing else says which."""
        alike = self._names.get(_normal(service.product or ""), [])
        return len(alike) >= _LIBRARY_PRODUCTS and own in alike and service.title not in own.names.titles

    def _named(self, service: Service) -> Iterable[Recipe]:
        for cpe in service.cpe:
            found = _CPE.match(cpe)
            if found is not None:
                yield from self._cpes.get(f"{found[1]}:{found[2]}", ())
        if service.product is not None:
            yield from self._names.get(_normal(service.product), ())

    def _why_nothing(self, service: Service) -> str:
        if self._serves_elsewhere(service):
            return self._why_no_recipe(service)
        if service.product:
            return f"no recipe, relative or banner for {service.product}"
        known = service.name is not None and service.name != WRAPPED
        return f"no recipe speaks {service.name}" if known else "nothing names it"

    def _why_no_recipe(self, service: Service) -> str:
        over = f" over {service.transport.upper()}" if self._serves_elsewhere(service) else ""
        return f"no recipe for {service.product}{over}"

    def _serves_elsewhere(self, service: Service) -> bool:
        """Return whether there are recipes for the product, but none over this transport."""
        named = list(self._named(service))
        return bool(named) and all(service.transport not in recipe.transports for recipe in named)

    def _of_product(self, service: Service, recipe: Recipe) -> Match:
        here = self.versions.get(recipe.name)
        if service.version is None or here is None:
            why = (
                "the inventory names no version"
                if service.version is None
                else "the version here is not known yet"
            )
            return self._matched(recipe, service, Level.SAME_PRODUCT, why)
        if same_version(service.version, here):
            return self._matched(recipe, service, Level.SAME_VERSION, "")
        return self._matched(
            recipe, service, Level.SAME_PRODUCT, f"version {here} instead of {service.version}"
        )

    def _matched(self, recipe: Recipe, service: Service, level: Level, why: str) -> Match:
        front = has_front(recipe, service)
        return Match(
            level=level,
            recipe=recipe.name,
            # What discovery calls it may be a library's name, which many products have.
            product=recipe.title,
            version=self.versions.get(recipe.name) if recipe.version.shown else None,
            why=why,
            size_mb=recipe.fill_mb,
            memory_mib=recipe.memory_mib + (_FRONT_MIB if front else 0),
            build_seconds=2.0 if recipe.fill else 0.2,
        )

    def _excess(self, host: Host, matches: list[Match]) -> tuple[int, str] | None:
        """Return the most demanding service of a host that wants more than a container has, and why."""
        memory, pids, room = 0, 0, SPARE_ROOM_BYTES
        counted: set[tuple[str, int]] = set()
        for service, match in zip(host.services, matches, strict=True):
            if match.recipe is None or (match.recipe, service.port) in counted:
                continue
            counted.add((match.recipe, service.port))
            recipe = self.book[match.recipe]
            memory += match.memory_mib
            room += recipe.room_bytes
            pids += recipe.pids + (_FRONT_PIDS if has_front(recipe, service) else 0)
        banners = [
            has_tls(host.services[n]) for n, match in enumerate(matches) if match.level is Level.BANNER
        ]
        if banners:
            memory += _BANNERS_MIB
        if any(banners):
            memory += _FRONT_MIB
            pids += _FRONT_PIDS
        if memory > CONTAINER_MIB - SPARE_MIB:
            what, most = f"{memory} MiB", f"{CONTAINER_MIB} MiB"
        elif pids > CONTAINER_PIDS - SPARE_PIDS:
            what, most = f"{pids} processes and threads", str(CONTAINER_PIDS)
        elif room > MAX_TMPFS_BYTES:
            what, most = f"{room >> 20} MiB of tmpfs", f"{MAX_TMPFS_BYTES >> 20} MiB"
        else:
            return None
        scarce_room = room > MAX_TMPFS_BYTES
        number = max(range(len(matches)), key=lambda each: (*self._needs(matches[each], scarce_room), each))
        return number, f"its host's services need {what}, a container has {most}"

    def _needs(self, match: Match, scarce_room: bool) -> tuple[int, int, int]:
        if match.recipe is None:
            return 0, match.memory_mib, 0
        recipe = self.book[match.recipe]
        return recipe.room_bytes if scarce_room else 0, match.memory_mib, recipe.pids


def has_front(recipe: Recipe, service: Service) -> bool:
    """Return whether stunnel stands before the service, which knows no TLS of its own."""
    return has_tls(service) and recipe.tls == "front"


def has_tls(service: Service) -> bool:
    """Return whether the service speaks TLS over TCP, which is all the TLS that stand-ins speak."""
    return service.tls is not None and service.transport == "tcp"


def same_version(theirs: str, here: str) -> bool:
    """Return whether an inventory's version is the one that exists here, as exactly as both are given.

    >>> same_version("10.0p2 Debian 7", "10.0p2"), same_version("1.26", "1.26.3")
    (True, True)
    >>> same_version("1.2", "1.26.3"), same_version("1", "1.26.3")
    (False, False)
    """
    found, known = _VERSION.search(theirs), _VERSION.search(here)
    if found is None or known is None:
        return theirs == here
    shorter, longer = sorted((found[0].split("."), known[0].split(".")), key=len)
    return len(shorter) > 1 and longer[: len(shorter)] == shorter


def _normal(name: str) -> str:
    return " ".join(_WORDS.findall(name.casefold()))


def _left_out(why: str) -> Match:
    return Match(level=Level.NOTHING, why=why)
