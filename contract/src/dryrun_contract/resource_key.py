"""Natural keys of what is discovered, e.g. `10.213.0.3:5432/tcp/shop/public/orders`.

Things inside a service have the names they have there: `:80/tcp/admin/login`, `:161/udp`,
`:389/tcp/dc=corp,dc=example`, `:445/tcp/public`, `:53/tcp/corp.example`. Names without regard to case
(naming contexts, zones) stand in lower case.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self

MAX_NAMES = 16
"""Names inside one service; the deepest that our collectors report, a table, has three."""

_ESCAPED = re.compile(r"[/%\x00-\x1f\x7f]")
_HEX = re.compile(r"%([0-9A-Fa-f]{2})")
_SHAPE = re.compile(
    r"""(?P<host>[^:/\s]+|\[[0-9a-fA-F:.]+\])
        (?: : (?P<port>[0-9]{1,5}) / (?P<transport>tcp|udp) (?P<path>(?:/[^/]+)*) )?""",
    re.VERBOSE,
)


def _escape(segment: str) -> str:
    return _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", segment)


def _unescape(segment: str) -> str:
    return _HEX.sub(lambda found: chr(int(found[1], 16)), segment) if "%" in segment else segment


@dataclass(frozen=True, slots=True)
class ResourceKey:
    """Host (address, or service name in reports), then port and transport, then names inside the service.

    >>> str(ResourceKey("10.0.0.3", 5432, "tcp", ("shop", "public", "a/b")))
    '10.0.0.3:5432/tcp/shop/public/a%2Fb'
    """

    host: str
    port: int | None = None
    transport: str | None = None
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.port is None:
            return host
        return "/".join([f"{host}:{self.port}", str(self.transport), *map(_escape, self.path)])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the key in `text`. Raises ValueError with the text when it has another shape."""
        found = _SHAPE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not a resource key; expected HOST[:PORT/(tcp|udp)[/NAME…]]")
        host = found["host"].strip("[]")
        if found["port"] is None:
            return cls(host)
        port = int(found["port"])
        if not 1 <= port <= 65535:
            raise ValueError(f"{text!r} names port {port}; ports are 1 to 65535")
        segments = found["path"].split("/")[1:]
        if len(segments) > MAX_NAMES:
            raise ValueError(
                f"a resource key has {len(segments)} names inside its service; {MAX_NAMES} are the most"
            )
        path = tuple(map(_unescape, segments))
        return cls(host, port, found["transport"], path)

    @property
    def address(self) -> IPv4Address | IPv6Address | None:
        """The host's address, for an IPv6 one that stands for IPv4 that one; None where the host is a name.

        >>> [str(ResourceKey(host).address) for host in ("::ffff:10.0.0.7", "2001:DB8:0::7", "web.example")]
        ['10.0.0.7', '2001:db8::7', 'None']
        """
        try:
            address = ip_address(self.host)
        except ValueError:
            return None
        return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address

    def on(self, host: str) -> Self:
        """Return the same place on another host, e.g. with a service's name in place of its address."""
        return type(self)(host, self.port, self.transport, self.path)
