"""Turns findings into the inventory: hosts get roles and numbers, services what `anonymity` leaves."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

from dryrun_replica.inventory import words
from dryrun_replica.inventory.anonymity import Anonymity
from dryrun_replica.inventory.contradictions import MAX_LISTED, Contradictions
from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_host import FoundHost
from dryrun_replica.inventory.found_service import FoundService, Greeted
from dryrun_replica.inventory.model import (
    MAX_NOTE_CHARACTERS,
    Host,
    Inventory,
    Note,
    Service,
    Source,
    TlsFacts,
    Transport,
)
from dryrun_replica.inventory.public_names import KNOWN_EVERYWHERE, PublicNames
from dryrun_replica.inventory.well_known import INSIDE_TLS, TLS_PORTS, protocol_of, role_of

type GreetingReader = Callable[[str], Greeted | None]
"""Returns what a greeting names."""

MAX_NOTES = 100
EXCLUDED = "hosts that --exclude leaves out"
_ONLY_NAMED = "hosts that only services name, and no device or virtual machine in the files"
_ANOTHER_PRODUCT = (
    "names another product or version than a line before it, for the same port of the same host; "
    "the surer line counts, of equally sure ones the first that states a version, or else the first"
)
_BY_NUMBER = "services that nobody names, guessed by the number of their port"
_CONTRADICTIONS = "files contradict each other about a service"
_PAGES = "objects on further pages of a list, which are in no file: export these too"


def assemble(
    findings: Findings,
    sources: tuple[Source, ...],
    now: datetime,
    *,
    keep_names: bool,
    known: PublicNames = KNOWN_EVERYWHERE,
    named_by: GreetingReader = lambda _: None,
) -> Inventory:
    """Return the inventory that the findings make. `now` is when they were read."""
    assembly = _Assembly(findings, keep_names, known, named_by)
    hosts = tuple(assembly.hosts())
    if numbered := assembly.anonymity.numbered_products:
        assembly.notes["products that only this network calls so, numbered"] = numbered
    notes = Counter(findings.notes) + assembly.notes
    if findings.pages.missing:
        notes[_PAGES] = findings.pages.missing
    only_v6 = sum(
        1
        for host in findings.hosts
        if host.addresses and all(":" in each for each in host.addresses) and not host.is_left_out
    )
    if only_v6:
        notes["hosts with IPv6 addresses only, whose stand-ins have IPv4 addresses"] = only_v6
    return Inventory(
        sources=sources,
        read_at=now,
        names_kept=keep_names,
        rehearsed=tuple(findings.rehearsed),
        hosts=hosts,
        unread=tuple(findings.unread),
        contradicting=assembly.contradicting_lines(),
        notes=tuple(
            Note(what=words.one_line(what, limit=MAX_NOTE_CHARACTERS) or "note", count=count)
            for what, count in sorted(notes.items())[:MAX_NOTES]
        ),
    )


class _Assembly:
    def __init__(
        self, findings: Findings, keep_names: bool, known: PublicNames, named_by: GreetingReader
    ) -> None:
        self._findings = findings
        self._keep_names = keep_names
        self._named_by = named_by
        self.notes: Counter[str] = Counter()
        self.anonymity = Anonymity(findings, known, self.notes, keep_names=keep_names)
        self._contradictions = Contradictions(known.are_alike)
        self._taken: set[str] = set()
        self._equal: dict[str, int] = {}
        self._of_role: Counter[str] = Counter()

    def hosts(self) -> Iterable[Host]:
        """Yield every host with its new name, in the order of the files."""
        for found in self._findings.hosts:
            if found.is_left_out:
                self.notes[EXCLUDED if found.is_excluded else found.absent or ""] += 1
                continue
            if found.sources.bit_count() > 1:
                self.notes["hosts that several files describe, joined"] += 1
            if found.is_only_named:
                self.notes[_ONLY_NAMED] += 1
            services = tuple(
                self._service(port, transport, found.service(port, transport))
                for port, transport in sorted(found.services)
            )
            protocols = [protocol_of(each.name, each.product, each.port, each.transport) for each in services]
            role = role_of(protocols, found.purpose)
            name = self._name(found, role)
            for (port, transport), service in zip(sorted(found.services), services, strict=True):
                self._note_contradictions(f"{name} {port}/{transport}", service, found, (port, transport))
            yield Host(
                name=name,
                role=role,
                image=words.image(found.image),
                image_id=words.image_id(found.image_id),
                rehearsed=found.rehearsed,
                services=services,
            )

    def _greeted(self, found: FoundService) -> FoundService:
        """Return a service as its banner identifies it, where no file names a product."""
        greeted = self._named_by(found.banner) if found.banner and not found.product else None
        return found if greeted is None else found.identified(greeted)

    def _note_contradictions(
        self, where: str, service: Service, host: FoundHost, place: tuple[int, Transport]
    ) -> None:
        if len(host.services[place]) < 2:
            return
        for each in self._contradictions.of([*map(self._greeted, host.described(*place))]):
            self.notes[_CONTRADICTIONS] += 1
            if self.notes[_CONTRADICTIONS] <= MAX_LISTED:
                other = self.anonymity.described(each.other)
                first, second = map(self._findings.source_of, (each.counts, each.other))
                what = f"{service.label} of {first} counts, not {other} of {second}, {each.why}"
                self.notes[f"files contradict each other: {where}: {what}."] += 1

    def contradicting_lines(self) -> tuple[str, ...]:
        """Return a sentence for each line of a table that contradicts one before it, then how many more."""
        lines = dict.fromkeys(
            each.where
            for each in self._findings.repeated
            if any(self._contradictions.of([*map(self._greeted, (each.before, each.again))]))
        )
        said = [f"{where}: {_ANOTHER_PRODUCT}" for where in [*lines][:MAX_LISTED]]
        if (rest := len(lines) - len(said)) > 0:
            said.append(f"{rest} more such lines")
        return tuple(said)

    def _name(self, found: FoundHost, role: str) -> str:
        own = [name for text in found.names if (name := words.host_name(text))] if self._keep_names else []
        if own:
            return self._unused(own[0])
        while True:
            self._of_role[role] += 1
            name = f"{role}-{self._of_role[role]}"
            if name not in self._taken:
                self._taken.add(name)
                return name

    def _unused(self, name: str) -> str:
        if name in self._taken:
            self.notes["hosts whose names became equal, numbered"] += 1
        number, unused = self._equal.get(name, 1), name
        while unused in self._taken:
            number += 1
            end = f"-{number}"
            unused = name[: words.MAX_HOST_NAME - len(end)].rstrip("-") + end
        self._equal[name] = number
        self._taken.add(unused)
        return unused

    def _service(self, port: int, transport: Transport, found: FoundService) -> Service:
        if found.sources.bit_count() > 1:
            self.notes["services that several files describe, joined"] += 1
        before, found = found, self._greeted(found)
        if found.product and not before.product:
            self.notes["services that their banners identify"] += 1
        if found.is_by_number and found.name and not found.product:
            self.notes[_BY_NUMBER] += 1
        name, product = self.anonymity.name_and_product(found)
        tls = self.anonymity.tls(found.tls) if found.tls is not None else None
        if name is not None and name in INSIDE_TLS:
            denied = found.is_plain and found.is_by_number
            name, tls = INSIDE_TLS[name], tls or (None if denied else TlsFacts())
        elif (
            tls is None
            and not (found.is_plain or found.from_scanner)
            and transport == "tcp"
            and port in TLS_PORTS
        ):
            self.notes["services on ports of TLS that are taken to speak it"] += 1
            tls = TlsFacts()
        return Service(
            port=port,
            transport=transport,
            name=name,
            product=product,
            version=self.anonymity.version(found.version),
            cpe=self.anonymity.cpe(found.cpe, found),
            tls=tls,
            title=self.anonymity.title(found.title),
            banner=self.anonymity.banner(found.banner),
            confidence=min(max(found.confidence, 0.0), 1.0),
            is_mute=found.is_mute,
            is_banner=found.is_banner,
        )
