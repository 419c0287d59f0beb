"""Where a scan looked, and what it found elsewhere: that shows that its targets are stated wrongly."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from dryrun_contract.discovery import DiscoveryLine
from dryrun_contract.network import all_within, exact_network
from dryrun_contract.production import ScanStart
from dryrun_contract.resource_key import ResourceKey

SHOWN: Final = 5
"""Networks in a message."""


class ScanScope:
    """A scan's targets without its exclusions; a host that is identified by a name counts as neither."""

    def __init__(self, start: ScanStart) -> None:
        self._start = start
        self._targets = [exact_network(each) for each in start.targets]
        self._excluded = [exact_network(each) for each in start.exclude]
        self._covers = lru_cache(65_536)(self._find)
        self.inside = 0
        self.outside = 0
        self.example = ""
        """The first address that lies elsewhere."""

    def __str__(self) -> str:
        """Return the networks, as many as a message has room for."""
        start = self._start
        without = f" without {some(start.exclude)}" if start.exclude else ""
        return some(start.targets) + without

    def elsewhere(self, found: Iterable[DiscoveryLine]) -> str:
        """Return the first address if all lie elsewhere, or else nothing."""
        first = ""
        for address in filter(None, (_address_of(each.key) for each in found)):
            if self._covers(address):
                return ""
            first = first or str(address)
        return first

    def counting(self, found: Iterable[DiscoveryLine]) -> Iterator[DiscoveryLine]:
        """Yield discoveries, and count them."""
        for each in found:
            address = _address_of(each.key)
            if address is not None and self._covers(address):
                self.inside += 1
            elif address is not None:
                self.outside += 1
                self.example = self.example or str(address)
            yield each

    def lies_in(self, not_covered: Iterable[str]) -> bool:
        """Return whether nothing of it is left without these networks."""
        return all_within(self._targets, [*self._excluded, *map(exact_network, not_covered)])

    @property
    def is_elsewhere(self) -> bool:
        """Whether all addresses so far lie elsewhere."""
        return bool(self.outside and not self.inside)

    def _find(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in target for target in self._targets) and not any(
            address in excluded for excluded in self._excluded
        )


def some(networks: Sequence[str]) -> str:
    """Return as many networks as a message has room for, and how many more there are."""
    more = len(networks) - SHOWN
    return ", ".join(networks[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _address_of(key: str) -> IPv4Address | IPv6Address | None:
    """Return the address of a resource; None where its host is identified by a name."""
    try:
        return ResourceKey.parse(key).address
    except ValueError:
        return None
