"""The administrator's list of hosts: where requests may go, and at which addresses those hosts may be.

An entry is `host`, `host:port` or `host:port=network+network`; commas or lines separate entries. Without
networks a host must resolve to public addresses and is spoken to by https. With networks it is internal: it
must resolve into them, and `http://` before it allows plain HTTP.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Self
from urllib.parse import urlsplit

from dryrun_contract.environment import read_entries

_MAX_URL = 2000
_PORTS = {"https": 443, "http": 80}
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label has a letter first: no notation of an address (2130706433, 0x7f.1, 127.1) is a name.
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?")

type Network = IPv4Network | IPv6Network


class NotAllowedError(Exception):
    """A rule refuses this address or host; repeating the request does not help. The text says which rule."""


@dataclass(frozen=True, slots=True)
class Place:
    """Scheme, host and port that a URL names, in one spelling."""

    scheme: str
    host: str
    """A name in lower case, or an address in its canonical form without brackets."""
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port as the header `Host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @classmethod
    def listed(cls, text: str) -> Self:
        """Read `host[:port]` of a setting; https unless it says `http://`.

        Raises NotAllowedError, also for what follows the host: a path would look like a bound and be none.
        """
        url = text if "://" in text else f"https://{text}"
        if re.search(r"[/?#]", url.partition("://")[2]):
            raise NotAllowedError("an entry names a host and its port; leave out what follows them")
        return cls.of(url)

    @classmethod
    def of(cls, url: str) -> Self:
        """Return the place of `url`. Raises NotAllowedError for what is not plainly one.

        >>> str(Place.of("https://Hooks.example.com:443/a?b"))
        'https://hooks.example.com'
        """
        if len(url) > _MAX_URL or not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url:
            raise NotAllowedError(f"a URL has up to {_MAX_URL} printable ASCII characters, none a backslash")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise NotAllowedError(f"the URL cannot be read: {error}") from error
        if parts.scheme not in _PORTS:
            raise NotAllowedError("a URL begins with https:// (or http:// for a host that is listed so)")
        if parts.username is not None or parts.password is not None:
            raise NotAllowedError(
                "a URL must not contain a user name or password; credentials are configured separately"
            )
        if port == 0:
            raise NotAllowedError("0 is not a port")
        return cls(parts.scheme, _host(parts.hostname or ""), port or _PORTS[parts.scheme])


@dataclass(frozen=True, slots=True)
class HostList:
    """Places that requests may go to, each with the networks it may be in; none for a public one."""

    places: dict[Place, tuple[Network, ...]]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the setting. Raises ValueError that names every entry that is wrong."""
        places: dict[Place, tuple[Network, ...]] = {}

        def add(entry: str) -> None:
            place, networks = _listed(entry)
            if place in places:
                raise ValueError(f"{entry!r}: this host is listed twice")
            places[place] = networks

        read_entries(add, filter(None, map(str.strip, re.split(r"[,\n]", text))))
        return cls(places)

    def networks_of(self, place: Place) -> tuple[Network, ...]:
        """Return the networks that `place` may be in. Raises NotAllowedError for one that is not listed."""
        if place not in self.places:
            raise NotAllowedError(f"{place} is not among the hosts that an administrator listed")
        return self.places[place]


def _listed(entry: str) -> tuple[Place, tuple[Network, ...]]:
    """Read one entry of the list. Raises ValueError that names it."""
    where, separator, listed = entry.partition("=")
    try:
        place = Place.listed(where)
        networks = tuple(ip_network(each) for each in listed.split("+")) if separator else ()
    except (NotAllowedError, ValueError) as error:
        raise ValueError(f"{entry!r}: {error}") from error
    if place.scheme == "http" and not networks:
        raise ValueError(f"{entry!r}: plain HTTP is for internal hosts; add =NETWORK")
    return place, networks


def _host(text: str) -> str:
    if _NAME.fullmatch(text):
        return text
    try:
        address = ip_address(text)
    except ValueError:
        raise NotAllowedError("the URL's host is neither a name nor an address in its usual form") from None
    if str(address) != text or "%" in text:
        raise NotAllowedError(f"the URL's host is an address in an unusual form; write {address}")
    return text
