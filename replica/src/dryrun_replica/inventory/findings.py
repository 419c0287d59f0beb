"""What readers put together while they read: the real network, in memory only and never written anywhere.

Hosts are the same when they share an identity: an address, a name, a number in the system they come from.
Rows, files and formats can thus describe one host together.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_

from dryrun_replica.inventory.faults import FaultList, TooLargeError, quoted
from dryrun_replica.inventory.found_host import FoundHost, as_address, first_parts_of, names_of
from dryrun_replica.inventory.found_service import FoundService
from dryrun_replica.inventory.model import (
    MAX_HOSTS,
    MAX_SERVICES,
    MAX_SERVICES_OF_A_HOST,
    Transport,
)

MAX_UNREAD = 20
"""Columns that are named of those that are not read."""
MAX_REPEATED = 10_000
"""Services that a table lists again, and that are compared."""
MAX_IDENTITIES_OF_A_HOST = 500
MAX_PORTS = 1_000_000
"""Numbers of ports in all files, also those that are listed again and those that are none."""


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
    repeated: list[Repeated] = field(default_factory=list)
    """Services that a table lists again."""
    _source: int = 0
    _sources: dict[str, int] = field(default_factory=dict)
    _hosts: dict[FoundHost, None] = field(default_factory=dict)
    _by_identity: dict[str, FoundHost] = field(default_factory=dict)
    _services: int = 0
    _ports: int = 0

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
            for first in first_parts_of(host):
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
                for part in first_parts_of(known[0]):
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

    def port(self, value: object, where: str, *, of: str = "") -> int | None:
        """Return the port number in `value`, which may be a text; None, with a fault, for anything else.

        `of` follows the value in the fault. Raises TooLargeError beyond `MAX_PORTS`.
        """
        self._ports += 1
        if self._ports > MAX_PORTS:
            raise TooLargeError(f"lists more than {MAX_PORTS:,} ports; list each port of a host once")
        text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
        # Not int(): it takes underscores, signs and digits of other scripts.
        if text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535:
            return int(text)
        self.faults.add(where, f"{quoted(value)}{of} is not a port; ports are 1 to 65535")
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
    names = {name for host in hosts for name in names_of(host) if name.partition(".")[0] == first}
    scoped = any(host.is_scoped and host.sources.bit_count() == 1 for host in hosts)
    return not scoped and len(names - {first}) < 2
