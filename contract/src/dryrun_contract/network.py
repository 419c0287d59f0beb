"""Networks as people and programs write them."""

from ipaddress import IPv4Network, IPv6Network, ip_network


def exact_network(text: str) -> IPv4Network | IPv6Network:
    """Return a network, or an address as a network of its own.

    Raises ValueError, also for one with bits of the host: `10.0.0.5/24` may be meant either way.

    >>> exact_network("10.0.0.5"), exact_network("10.0.0.0/24")
    (IPv4Network('10.0.0.5/32'), IPv4Network('10.0.0.0/24'))
    """
    try:
        return ip_network(text)
    except ValueError:
        whole = ip_network(text, strict=False)
    address = text.split("/", maxsplit=1)[0]
    raise ValueError(
        f"{text} has host bits set; write {whole} for the network or {address} for the one address"
    )
