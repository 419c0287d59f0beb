"""The one gate every address passes before a packet may go to it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import NewType, Self

MAX_ADDRESSES = 2**20
"""The most addresses the targets of one run may hold (a /12)."""

ScopedAddress = NewType("ScopedAddress", str)
"""An address that a `Scope` admitted. Whatever opens a connection takes this type, not a string."""


class ScopeError(ValueError):
    """A target or exclusion cannot be used; the text names it and what is expected."""


class OutOfScopeError(ValueError):
    """An address lies outside the targets, or is excluded. It has not received a packet and will not."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be contacted: inside one of `targets` and in none of `excluded`."""

    targets: tuple[IPv4Network, ...]
    excluded: tuple[IPv4Network, ...] = ()

    @classmethod
    def parse(cls, targets: Iterable[str], excluded: Iterable[str] = ()) -> Self:
        """Read targets and exclusions, each an IPv4 address or network.

        Names are refused: what a name resolves to may change between the check and the packet. So are IPv6,
        networks with host bits set (`10.0.0.5/24` may be meant either way), and more than 2^20 addresses.

        Raises ScopeError.
        """
        scope = cls(
            tuple(_network(text, "target") for text in targets),
            tuple(_network(text, "exclusion") for text in excluded),
        )
        if not scope.targets:
            raise ScopeError("there is no target; name at least one network, e.g. --targets 10.0.0.0/24")
        size = sum(network.num_addresses for network in scope.targets)
        if size > MAX_ADDRESSES:
            raise ScopeError(
                f"the targets hold {size} addresses; {MAX_ADDRESSES} are the most, so split them"
            )
        return scope

    def require_open(self) -> None:
        """Raise ScopeError if every target is excluded: an empty, complete output would look like a scan."""
        if next(self.open_networks(), None) is None:
            raise ScopeError("all targets are excluded, so that nothing would be scanned; leave a target")

    def admit(self, text: str) -> ScopedAddress:
        """Return `text` as an address that may be contacted. Raises OutOfScopeError."""
        try:
            address = IPv4Address(text)
        except AddressValueError:
            raise OutOfScopeError(f"{text!r} is not an IPv4 address") from None
        if not any(address in network for network in self.targets):
            raise OutOfScopeError(f"{address} lies outside the targets")
        if any(address in network for network in self.excluded):
            raise OutOfScopeError(f"{address} is excluded")
        return ScopedAddress(str(address))

    def open_networks(self) -> Iterator[IPv4Network]:
        """Yield the targets without the excluded networks, as disjoint networks.

        Nothing excluded is ever named to a scanner, so that no option of a scanner has to keep it away.
        """
        remaining = _disjoint(self.targets)
        for hole in self.excluded:
            remaining = [part for network in remaining for part in _without(network, hole)]
        yield from sorted(remaining)


def _network(text: str, role: str) -> IPv4Network:
    try:
        return IPv4Network(text.strip())
    except (AddressValueError, NetmaskValueError):
        raise ScopeError(
            f"{role} {text!r} is not an IPv4 address or network; write e.g. 10.0.0.7 or 10.0.0.0/24 "
            "(names are not resolved, and IPv6 is not supported)"
        ) from None
    except ValueError:
        loose = IPv4Network(text.strip(), strict=False)
        raise ScopeError(
            f"{role} {text!r} has host bits set; write {loose} for the network "
            f"or {text.split('/', maxsplit=1)[0].strip()} for the one address"
        ) from None


def _disjoint(networks: Iterable[IPv4Network]) -> list[IPv4Network]:
    kept: list[IPv4Network] = []
    for network in sorted(networks, key=lambda network: network.prefixlen):
        if not any(network.subnet_of(larger) for larger in kept):
            kept.append(network)
    return kept


def _without(network: IPv4Network, hole: IPv4Network) -> Iterator[IPv4Network]:
    if network.subnet_of(hole):
        return
    if hole.subnet_of(network):
        yield from network.address_exclude(hole)
    else:
        yield network
