"""One host as the files describe it, and what it is recognised by."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address, ip_address, ip_interface

from dryrun_replica.inventory.found_service import FoundService, rank
from dryrun_replica.inventory.model import Transport

MAX_TEXT = 4_000
"""Characters of any text that is looked at."""
MAX_NAMES_OF_A_HOST = 50


@dataclass(slots=True, eq=False)
class FoundHost:
    """One host as the files describe it."""

    names: list[str] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)
    services: dict[tuple[int, Transport], dict[int, FoundService]] = field(default_factory=dict)
    """What each source says of each place; `service` puts it together."""
    purpose: str | None = None
    """What people call its kind, e.g. `Access Switch`."""
    image: str | None = None
    image_id: str | None = None
    rehearsed: str | None = None
    """The template that the image is of: that of the report which names it."""
    absent: str | None = None
    """The note that it is left out with, where a file says that it is not running."""
    is_excluded: bool = False
    """Whether the operator leaves out all of its addresses."""
    is_scoped: bool = False
    """A file's name for it means it within that file only: a Compose service, or a device of one site."""
    is_said_to_run: bool = False
    """Whether a record of it has another status: two may share an address."""
    is_listed: bool | None = None
    """Whether a device or machine of NetBox is it, or only services name it; None elsewhere."""
    identities: set[str] = field(default_factory=set)
    sources: int = 0
    """Where it is described, a bit for each source."""

    @property
    def is_up(self) -> bool:
        """Whether a record says that it runs, or a scan found something on it."""
        said = (each for described in self.services.values() for each in described.values())
        return self.is_said_to_run or any(each.from_scanner for each in said)

    @property
    def is_left_out(self) -> bool:
        """Whether it is excluded, or not running: what says that it is up counts more."""
        return self.is_excluded or (self.absent is not None and not self.is_up)

    @property
    def is_only_named(self) -> bool:
        """Whether all that is known of it is that services have it as their parent."""
        return self.is_listed is False and not self.addresses and self.sources.bit_count() < 2

    def service(self, port: int, transport: Transport) -> FoundService:
        """Return what all sources together say of a place.

        The surest first: the order of the files decides nothing, unless two are equally sure.
        """
        first, *others = map(replace, self.described(port, transport))
        for other in others:
            first.merge(other)
        return first

    def described(self, port: int, transport: Transport) -> list[FoundService]:
        """Return what each source says of a place, the surest first."""
        described = [each for _, each in sorted(self.services[port, transport].items())]
        return sorted(described, key=rank, reverse=True)

    def add_name(self, name: str | None) -> None:
        """Remember a name of the host, if it is new."""
        if name and name not in self.names and len(self.names) < MAX_NAMES_OF_A_HOST:
            self.names.append(name[:MAX_TEXT])


def first_parts_of(host: FoundHost) -> set[str]:
    """Return what its names begin with, up to the first dot."""
    return {name.partition(".")[0] for name in names_of(host)}


def names_of(host: FoundHost) -> set[str]:
    """Return its names, as they are compared."""
    names = (name.strip().strip(".").casefold() for name in host.names if as_address(name) is None)
    return set(filter(None, names))


def as_address(text: str) -> str | None:
    """Return an address in its canonical spelling, without a prefix length; None for any other text."""
    text = text.strip()[:100]
    try:
        address = ip_interface(text).ip if "/" in text else ip_address(text.strip("[]"))
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped is not None else address.compressed.partition("%")[0]
    return str(address)


def identities_of(texts: Iterable[str]) -> list[str]:
    """Return what a host called by these addresses and names is recognised by.

    >>> identities_of(["10.0.0.7/24", "DB01.corp.example"])
    ['address 10.0.0.7', 'name db01.corp.example']
    """
    return [
        f"name {text.strip().casefold()[:300]}" if address is None else f"address {address}"
        for text, address in ((text, as_address(text)) for text in texts)
        if text.strip()
    ]
