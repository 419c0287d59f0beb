"""What readers put together while they read: the real network, in memory only and never written anywhere.

Hosts are the same when they share an identity: an address, a name, a number in the system they come from.
Rows, files and formats can thus describe one host together.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import reduce
from ipaddress import IPv6Address, ip_address, ip_interface
from operator import or_

from dryrun_replica.inventory.faults import FaultList, TooLargeError, quoted
from dryrun_replica.inventory.found_service import FoundService, rank
from dryrun_replica.inventory.model import (
    MAX_HOSTS,
    MAX_SERVICES,
    MAX_SERVICES_OF_A_HOST,
    Transport,
)

MAX_TEXT = 4_000
"""Characters of any text that is looked at."""
MAX_UNREAD = 20
"""Columns that are named of those that are not read."""
MAX_REPEATED = 10_000
"""Services that a table lists again, and that are compared."""
MAX_NAMES_OF_A_HOST = 50
MAX_IDENTITIES_OF_A_HOST = 500


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
        """Whether it is not running: what says that it is up counts more."""
        return self.absent is not None and not self.is_up

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


@dataclass(slots=True)
class Pages:
    """Lists that come in pages, by what they list: how long each is, and how much of it was read."""

    _lengths: dict[str, int] = field(default_factory=dict)
    _read: dict[str, set[str]] = field(default_factory=dict)

    def add(self, of: str, length: int, read: Iterable[str]) -> None:
        """Add a page of a list of `length` objects: the numbers of those it holds."""
        self._lengths[of] = max(length, self._lengths.get(of, 0))
        self._read.setdefault(of, set()).update(read)

    @property
    def missing(self) -> int:
        """How many objects are on pages that are in no file."""
        return sum(max(0, length - len(self._read[of])) for of, length in self._lengths.items())


@dataclass(frozen=True, slots=True)
class Repeated:
    """A service that a line of a table lists again."""

    where: str
    before: FoundService
    again: FoundService


@dataclass(slots=True)
class Findings:
    """All hosts of all files, their faults, and what is worth a note."""

    faults: FaultList = field(default_factory=FaultList)
    notes: Counter[str] = field(default_factory=Counter)
    pages: Pages = field(default_factory=Pages)
    rehearsed: dict[str, None] = field(default_factory=dict)
    """The templates that reports are of, in the order of the files."""
    words: set[str] = field(default_factory=set)
    """Texts that identify the network without being a host's name: sites, tenants, domains."""
    unread: list[str] = field(default_factory=list)
    """A sentence for each table with columns that mean nothing here."""
    repeated: list["Repeated"] = field(default_factory=list)
    """Services that a table lists again."""
    _source: int = 0
    _sources: dict[str, int] = field(default_factory=dict)
    _hosts: dict[FoundHost, None] = field(default_factory=dict)
    _by_identity: dict[str, FoundHost] = field(default_factory=dict)
    _services: int = 0

    @property
    def hosts(self) -> Iterable[FoundHost]:
        """All hosts, in the order in which they were first mentioned."""
        return self._hosts.keys()

    def begin_source(self, name: str) -> None:
        """Take what comes from now on as from the source `name`."""
        self._source = 1 << self._sources.setdefault(name, len(self._sources))

    def source_of(self, service: FoundService) -> str:
        """Return the name of the source that describes a service."""
        return next((name for name, bit in self._sources.items() if service.sources & 1 << bit), "a file")

    def note_unread(self, file: str, headings: Iterable[str]) -> None:
        """Remember that nothing of a table's columns with these headings is read."""
        names = [heading for heading in headings if heading]
        if not names:
            return
        known, rest = names[:MAX_UNREAD], len(names) - MAX_UNREAD
        listed = ", ".join(map(quoted, known)) + (f" and {rest} more" if rest > 0 else "")
        self.unread.append(
            f"{file}: nothing is read from {'these columns' if names[1:] else 'the column'}: {listed}"
        )

    def within_source(self, text: str) -> str:
        """Return an identity that means a host within this source only: two files may have one name."""
        return f"{text} of source {self._source}"

    def host(self, identities: Iterable[str]) -> FoundHost:
        """Return the host that has any of these identities, which makes hosts that share it one."""
        wanted = list(dict.fromkeys(identities))
        known = list(dict.fromkeys(self._by_identity[each] for each in wanted if each in self._by_identity))
        found = known[0] if known else FoundHost()
        if not known:
            if len(self._hosts) >= MAX_HOSTS:
                raise TooLargeError(f"describes more than {MAX_HOSTS:,} hosts; import a part of the network")
            self._hosts[found] = None
        for other in known[1:]:
            self._absorb(found, other)
        self._identify(found, wanted)
        found.sources |= self._source
        return found

    def join_by_names(self) -> None:
        """Join hosts that one file calls by a full name and another by its first part, or by the same name.

        Only where there is no doubt: all files together know one full name that begins so, no file has two
        of the hosts, and at most one of them has addresses. What cannot be placed is noted.
        """
        alike: dict[str, list[FoundHost]] = {}
        for host in self._hosts:
            for first in _first_parts_of(host):
                alike.setdefault(first, []).append(host)
        for first in sorted(alike):
            there = [host for host in dict.fromkeys(alike[first]) if host in self._hosts]
            # What does not run takes no other with it; what a scan found runs, whatever another file says.
            known = [host for host in there if not host.is_left_out]
            if any(host.is_up for host in there) and _is_one(there, first):
                known = there
            if len(known) < 2 or all(host.addresses for host in known):
                continue
            if _is_one(known, first):
                for other in known[1:]:
                    self._absorb(known[0], other)
                for part in _first_parts_of(known[0]):
                    alike[part].append(known[0])
                self.notes["hosts joined by name: one file has the full name, another its first part"] += 1
            elif len({host.sources for host in known}) > 1:
                self.notes[
                    "hosts without an address whose name may be that of one in other files: kept apart"
                ] += sum(1 for host in known if not host.addresses)

    def _identify(self, host: FoundHost, identities: Iterable[str]) -> None:
        for each in identities:
            self._by_identity[each] = host
            host.identities.add(each)
        if len(host.identities) > MAX_IDENTITIES_OF_A_HOST:
            raise TooLargeError(
                f"describes a host with more than {MAX_IDENTITIES_OF_A_HOST} addresses and names"
            )

    def add_service(
        self,
        host: FoundHost,
        port: int,
        transport: Transport,
        service: FoundService,
        *,
        again: str = "",
        where: str = "",
    ) -> None:
        """Add a service to a host, or what this one knows to the one that it has there.

        `again` is the note for a file that lists one place of one host twice, `where` the line that does.
        """
        described = host.services.get((port, transport))
        if described is None:
            if len(host.services) >= MAX_SERVICES_OF_A_HOST:
                raise TooLargeError(f"describes a host with more than {MAX_SERVICES_OF_A_HOST} services")
            if self._services >= MAX_SERVICES:
                raise TooLargeError(f"describes more than {MAX_SERVICES:,} services")
            described = host.services[port, transport] = {}
            self._services += 1
        service.sources = service.sources or self._source
        known = described.setdefault(service.sources, service)
        if known is not service:
            if where and len(self.repeated) < MAX_REPEATED:
                self.repeated.append(Repeated(where, replace(known), replace(service)))
            known.merge(service)
            if again:
                self.notes[again] += 1

    def _absorb(self, host: FoundHost, other: FoundHost) -> None:
        for name in other.names:
            host.add_name(name)
        host.addresses |= other.addresses
        host.sources |= other.sources
        host.purpose = host.purpose or other.purpose
        host.absent = host.absent or other.absent
        host.is_said_to_run = host.is_said_to_run or other.is_said_to_run
        if host.image is None:
            host.image, host.image_id, host.rehearsed = other.image, other.image_id, other.rehearsed
        for place, described in other.services.items():
            self._services -= 1
            for service in described.values():
                self.add_service(host, *place, service)
        self._identify(host, other.identities)
        del self._hosts[other]

    def port(self, value: object, where: str) -> int | None:
        """Return the port number in `value`, which may be a text; None, with a fault, for anything else."""
        text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
        # Not int(): it takes underscores, signs and digits of other scripts.
        if text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535:
            return int(text)
        self.faults.add(where, f"{quoted(value)} is not a port; ports are 1 to 65535")
        return None

    def address(self, host: FoundHost, text: str) -> None:
        """Remember an address of a host; any other text is taken as its name."""
        address = as_address(text)
        if address is None:
            host.add_name(text)
        else:
            host.addresses.add(address)


def _is_one(hosts: list[FoundHost], first: str) -> bool:
    """Whether these hosts, whose names begin with `first`, are surely one."""
    sources = [host.sources for host in hosts]
    if sum(sources) != reduce(or_, sources) or sum(1 for host in hosts if host.addresses) > 1:
        return False
    # Now they are no more than the files; the names of many hosts would take long.
    names = {name for host in hosts for name in _names_of(host) if name.partition(".")[0] == first}
    scoped = any(host.is_scoped and host.sources.bit_count() == 1 for host in hosts)
    return not scoped and len(names - {first}) < 2


def _first_parts_of(host: FoundHost) -> set[str]:
    return {name.partition(".")[0] for name in _names_of(host)}


def _names_of(host: FoundHost) -> set[str]:
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
