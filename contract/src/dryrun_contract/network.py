"""Networks as people and programs write them."""

from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

type AnyNetwork = IPv4Network | IPv6Network

MAX_NETWORKS = 256
"""Networks of one list; a scan of more is reported as several."""


def exact_network(text: str) -> AnyNetwork:
    """Return a network, or an address as a network of its own.

    Raises ValueError, also for one with bits of the host: `10.0.0.5/24` may be meant either way.

    >>> exact_network("10.0.0.5"), exact_network("10.0.0.0/24")
    (IPv4Network('10.0.0.5/32'), IPv4Network('10.0.0.0/24'))
    """
    try:
        return ip_network(text)
    except ValueError:
        whole = ip_network(text, strict=False)
    address, _, length = text.partition("/")
    mapped = getattr(ip_address(address), "ipv4_mapped", None)
    if mapped is not None and length.isdigit() and int(length) <= mapped.max_prefixlen:
        # Its length is that of an IPv4 network; as an IPv6 network it would be most of all addresses.
        whole = ip_network(f"{mapped}/{length}", strict=False)
    raise ValueError(
        f"{text} has host bits set; write {whole} for the network or {address} for the one address"
    )


_MAPPED_BITS = 96
"""Bits before the IPv4 address in an IPv6 address that stands for one."""


def plain_network(text: str) -> AnyNetwork:
    """Return a network; of IPv4 addresses that are written as IPv6, the IPv4 network, as in resources' keys.

    Raises ValueError as `exact_network` does.

    >>> plain_network("::ffff:10.0.0.5"), plain_network("::ffff:10.0.0.0/120"), plain_network("::/0")
    (IPv4Network('10.0.0.5/32'), IPv4Network('10.0.0.0/24'), IPv6Network('::/0'))
    """
    network = exact_network(text)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    # No prefix below 96 keeps all the bits by which an address stands for IPv4.
    if mapped is None:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


def _network(text: str) -> str:
    return str(plain_network(text))


type Network = Annotated[
    str,
    StringConstraints(max_length=64, pattern=r"^[0-9a-fA-F.:/]+$"),
    AfterValidator(_network),
    Field(examples=["192.0.2.0/24"]),
]
"""A network or an address, e.g. `192.0.2.0/24`; bits of the host are refused. IPv4 addresses written as IPv6
(`::ffff:192.0.2.0/120`) are kept as IPv4."""


def joined(networks: Iterable[AnyNetwork]) -> list[AnyNetwork]:
    """Return the fewest networks that cover the same addresses, IPv4 first."""
    given = tuple(networks)
    four = collapse_addresses(each for each in given if isinstance(each, IPv4Network))
    six = collapse_addresses(each for each in given if isinstance(each, IPv6Network))
    return [*four, *six]


class Addresses:
    """The addresses of some networks. Looking for one takes about as long, however many networks there are.

    >>> found = Addresses([ip_network("10.0.0.0/24"), ip_network("2001:db8::/64")])
    >>> ip_address("10.0.0.255") in found, ip_address("10.0.1.0") in found, ip_address("2001:db8::1") in found
    (True, False, True)
    """

    def __init__(self, networks: Iterable[AnyNetwork] = ()) -> None:
        """Hold the addresses of `networks`."""
        self.networks = joined(networks)
        self._of = {
            version: [each for each in self.networks if each.version == version] for version in (4, 6)
        }
        self._begins = {
            version: [int(each.network_address) for each in of] for version, of in self._of.items()
        }

    def __contains__(self, address: IPv4Address | IPv6Address) -> bool:
        """Return whether one of the networks has `address`."""
        before = bisect_right(self._begins[address.version], int(address))
        return bool(before) and address in self._of[address.version][before - 1]


def all_within(networks: Iterable[AnyNetwork], others: Iterable[AnyNetwork]) -> bool:
    """Return whether each address of `networks` is in one of `others`.

    >>> halves = [ip_network("10.0.0.0/25"), ip_network("10.0.0.128/25")]
    >>> all_within([ip_network("10.0.0.0/24")], halves), all_within([ip_network("10.0.0.0/23")], halves)
    (True, False)
    """
    known = joined(others)
    return joined((*known, *networks)) == known
