"""A production run as counts: what a check compares a forecast with. No address and no name is in it."""

from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from operator import not_
from typing import Annotated

from pydantic import Field

from dryrun_contract.base import Word
from dryrun_contract.census import Place
from dryrun_contract.discovery import Discovery
from dryrun_contract.network import Addresses, AnyNetwork, joined
from dryrun_contract.resource_key import ResourceKey
from dryrun_contract.text import printable

MAX_COUNTED_PLACES = 800
MAX_COUNTED_PRODUCTS = 400
MAX_FOUND = 1_000_000
"""Hosts and services of one run; what is beyond is not counted, and the counts are not complete."""
_MAX_PRODUCT = 80

type _Count = Annotated[int, Field(ge=0, le=100_000_000)]


class ProductionCounts(Word):
    """What one production run found, and what it took where somebody measured that."""

    hosts: _Count
    places: dict[Place, _Count] = Field(default_factory=dict, max_length=MAX_COUNTED_PLACES)
    """Port and transport → on how many hosts something answers there; the most frequent ones."""
    products: dict[Annotated[str, Field(max_length=_MAX_PRODUCT, pattern=r"^[^\x00-\x1f\x7f]+$")], _Count] = (
        Field(default_factory=dict, max_length=MAX_COUNTED_PRODUCTS)
    )
    """Product as it was reported → how many services."""
    others: _Count = 0
    """Services at further places."""
    other_products: _Count = 0
    """Services of further products."""
    hosts_left_out: Annotated[int, Field(ge=0, le=MAX_FOUND, exclude_if=not_)] = 0
    """At most so many hosts the run did not look at: addresses that it excluded or did not cover, and where
    nothing was found."""
    hosts_seen_in_part: Annotated[int, Field(ge=0, le=MAX_FOUND, exclude_if=not_)] = 0
    """Hosts that one collector found, and at which another says that it did not look: what only the other
    finds is left out there."""
    complete: bool = True
    """The run finished, and all of its output was read."""
    seconds: float | None = Field(default=None, ge=0, le=100_000_000)
    packets: int | None = Field(default=None, ge=0, le=10**15)


class ProductionCounter:
    """Counts discoveries, each thing once, collector by collector."""

    def __init__(self, *, exclude: Iterable[AnyNetwork] = ()) -> None:
        """Count nothing at the addresses of `exclude`."""
        self._exclude = Addresses(exclude)
        self._not_covered: list[AnyNetwork] = []
        self._own_not_covered: list[AnyNetwork] = []
        """What the collector did not look at whose reports are added now."""
        self._own_addresses: set[IPv4Address | IPv6Address] = set()
        self._not_looked_at: list[tuple[Addresses, frozenset[IPv4Address | IPv6Address]]] = []
        """Of each collector before: where it did not look, and where it found something all the same."""
        self._hosts: dict[str, IPv4Address | IPv6Address | None] = {}
        self._services: dict[tuple[str, str], tuple[float, str]] = {}
        """The surest product of the collectors before."""
        self._own: dict[tuple[str, str], tuple[float, str]] = {}
        """What the collector says whose reports are added now; "" where its surest names no product."""
        self.overflowed = False
        """Whether something was beyond `MAX_FOUND` and left out."""

    def add(self, found: Discovery) -> None:
        """Count a host or a service; other kinds lie inside them."""
        if found.kind not in {"host", "service"}:
            return
        key = ResourceKey.parse(found.key)
        if key.address is not None and key.address in self._exclude:
            return
        if len(self._hosts) + len(self._services) >= MAX_FOUND:
            self.overflowed = True
            return
        # Collectors may write an IPv6 address differently.
        host = str(key.address or key.host)
        self._hosts[host] = key.address
        if key.address is not None:
            self._own_addresses.add(key.address)
        if found.kind == "host" or key.port is None or key.path:
            return
        service = host, f"{key.port}/{key.transport}"
        product = found.data.get("product")
        said = (
            printable(product, limit=_MAX_PRODUCT)[:_MAX_PRODUCT].strip() if isinstance(product, str) else ""
        )
        self._services.setdefault(service, (-1.0, ""))
        known = self._own.get(service, (-1.0, ""))
        # As scores merge them: a surer report of the same collector takes its product back.
        self._own[service] = max(known, (found.confidence, said))

    def next_collector(self) -> None:
        """Take what is added from now on for another collector's."""
        for service, (confidence, said) in self._own.items():
            if said:
                self._services[service] = max(self._services[service], (confidence, said))
        self._own.clear()
        if self._own_not_covered:
            out = Addresses(self._own_not_covered)
            self._not_looked_at.append((out, frozenset(each for each in self._own_addresses if each in out)))
            self._not_covered = joined((*self._not_covered, *self._own_not_covered))
        self._own_not_covered, self._own_addresses = [], set()

    def not_covered(self, networks: Iterable[AnyNetwork]) -> None:
        """Take it that the collector whose reports are added now did not look at these networks."""
        self._own_not_covered = joined((*self._own_not_covered, *networks))

    def _hosts_seen_in_part(self) -> int:
        """Return how many hosts are known only from others than a collector that did not look there.

        What one reported, it did look at, whatever its end says.
        """
        return sum(
            any(address not in found and address in out for out, found in self._not_looked_at)
            for address in self._hosts.values()
            if address
        )

    def _hosts_left_out(self) -> int:
        # Of all collectors together: that one does not name an address says nothing of whether it looked.
        left_out = Addresses((*self._exclude.networks, *self._not_covered))
        if not left_out.networks:
            return 0
        found = sum(address in left_out for address in self._hosts.values() if address)
        return min(MAX_FOUND, sum(network.num_addresses for network in left_out.networks) - found)

    def counts(
        self, *, complete: bool, seconds: float | None = None, packets: int | None = None
    ) -> ProductionCounts:
        """Return the counts."""
        self.next_collector()
        places = Counter(place for _, place in self._services)
        products = Counter(product for _, product in self._services.values() if product)
        shown = dict(places.most_common(MAX_COUNTED_PLACES))
        named = dict(products.most_common(MAX_COUNTED_PRODUCTS))
        return ProductionCounts(
            hosts=len(self._hosts),
            places=shown,
            products=named,
            others=len(self._services) - sum(shown.values()),
            other_products=products.total() - sum(named.values()),
            hosts_left_out=self._hosts_left_out(),
            hosts_seen_in_part=self._hosts_seen_in_part(),
            complete=complete and not self.overflowed,
            seconds=seconds,
            packets=packets,
        )
