"""Judges addresses: which of those that a name resolves to may be connected to."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from approval_api.egress.hosts import Network, NotAllowedError

# Forms of IPv6 that stand for an IPv4 address or lead to one by way of a relay or translator.
_LEADS_TO_IPV4 = tuple(
    map(
        ip_network,
        (
            "::/96",  # compatible, RFC 4291 (with the loopback and the unspecified address)
            "::ffff:0:0/96",  # mapped
            "::ffff:0:0:0/96",  # translated, RFC 2765
            "64:ff9b::/96",  # NAT64, RFC 6052
            "64:ff9b:1::/48",  # NAT64 for local use, RFC 8215
            "2001::/32",  # Teredo
            "2002::/16",  # 6to4
        ),
    )
)
_LOOPBACK_V6 = IPv6Address("::1")
_UNICAST_V6 = IPv6Network("2000::/3")
"""All that IANA allocates from; Python calls more than this global, such as the former fec0::/10."""


def judge(text: str, networks: Sequence[Network], own: Sequence[Network]) -> IPv4Address | IPv6Address:
    """Return the address in `text` if it may be connected to. Raises NotAllowedError.

    With `networks` it must lie in one of them; without, it must be public and in none of the deployment's
    `own`. Link-local addresses (a cloud's metadata among them), multicast and the unspecified address are
    refused in any case.
    """
    try:
        address = ip_address(text)
    except ValueError:
        raise NotAllowedError("the resolver's answer is not an address") from None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise NotAllowedError(f"{address} names an interface of this machine")
        if address != _LOOPBACK_V6 and any(address in network for network in _LEADS_TO_IPV4):
            raise NotAllowedError(f"{address} stands for another address")
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        raise NotAllowedError(f"{address} is link-local, multicast or unspecified")
    if networks:
        if not any(address in network for network in networks):
            raise NotAllowedError(f"{address} is outside of the networks listed for this host")
        return address
    public = address.is_global and (address.version == 4 or address in _UNICAST_V6)
    if not public or any(address in network for network in own):
        raise NotAllowedError(f"{address} is not public; an administrator can list its network for this host")
    return address
