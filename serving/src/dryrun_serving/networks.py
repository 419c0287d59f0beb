"""Addresses as limits count them.

What is open at once counts by network: the people of a company may all be at one site. How often somebody
asks or tries counts by site: whoever has a /48 has 65,536 networks to ask from.
"""

import ipaddress

from dryrun_contract.environment import read_entries
from dryrun_contract.network import exact_network

_UNKNOWN = "unknown"


def network_of(address: str) -> str:
    """Return the network of an address: itself, or its /64, of which one machine has all addresses.

    >>> [network_of(each) for each in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::7", "x" * 9)]
    ['192.0.2.7', '192.0.2.7', '2001:db8::/64', 'unknown']
    """
    return _within(address, 64)


def site_of(address: str) -> str:
    """Return the site of an address: itself, or its /48, the most that one subscriber gets (RFC 6177).

    >>> [site_of(each) for each in ("192.0.2.7", "2001:db8:0:1::7", "2001:db8:0:2::7")]
    ['192.0.2.7', '2001:db8::/48', '2001:db8::/48']
    """
    return _within(address, 48)


def _within(address: str, prefix: int) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return _UNKNOWN
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, prefix), strict=False))


class Proxies:
    """The addresses whose `X-Forwarded-*` headers are believed, as `APPROVAL_TRUSTED_PROXIES` lists them."""

    def __init__(self, listed: str) -> None:
        """Read addresses and networks, comma separated; `*` is everybody.

        Raises ValueError that names every other word, and every network with bits of the host: it would have
        a whole network believed for one address.
        """
        entries = [each.strip() for each in listed.split(",") if each.strip()]
        self._everybody = "*" in entries
        self._networks = read_entries(exact_network, (entry for entry in entries if entry != "*"))

    def has(self, address: str) -> bool:
        """Return whether `address` is one of them.

        >>> [Proxies("127.0.0.1, 10.0.0.0/8").has(each) for each in ("127.0.0.1", "10.9.9.9", "::1", "")]
        [True, True, False, False]
        """
        if self._everybody:
            return True
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)
