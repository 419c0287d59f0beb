"""Turns findings into the inventory: hosts get roles and numbers, and what identifies the network goes.

Names, addresses and domains go. Products stay when they are software that everybody may run; what only this
network calls so becomes `Product-1`. Scanners are not believed either: their scripts quote what targets send.
Titles, certificates and banners quote their owners: the first two keep their form and lose their words, so
that equal ones stay equal, and banners go.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from dryrun_replica.inventory import words
from dryrun_replica.inventory.contradictions import MAX_LISTED, Contradictions
from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_host import FoundHost
from dryrun_replica.inventory.found_service import FoundService, FoundTls, Greeted
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
from dryrun_replica.inventory.public_names import (
    KNOWN_EVERYWHERE,
    PublicNames,
    public_cpe,
    public_version,
)
from dryrun_replica.inventory.well_known import (
    INSIDE_TLS,
    TLS_PORTS,
    is_common,
    is_listed,
    is_protocol,
    protocol_of,
    role_of,
    software_in,
    words_of,
)

type GreetingReader = Callable[[str], Greeted | None]
"""Returns what a greeting names."""

MAX_NOTES = 100
_ADDRESS = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])|(?:[0-9A-Fa-f]{1,4}:){2,7}[0-9A-Fa-f:]*")
_DOMAIN = re.compile(
    r"\b[A-Za-z][\w-]{0,62}(?:\.[A-Za-z][\w-]{0,62}){0,8}\.(?!(?i:js|io|py|net)\b)[A-Za-z]{2,24}\b"
)
"""Node.js, Socket.IO and ASP.NET are none."""
_MAIL = re.compile(r"[^\s@]@[^\s@]")
_YEARS_OF_CERTIFICATES = range(1970, 9999)
"""X.509 begins in 1950, and a year has to fit before and after."""
_ONLY_NAMED = "hosts that only services name, and no device or virtual machine in the files"
_UNNAMED = "unknown"
_ANOTHER_PRODUCT = (
    "names another product or version than a line before it, for the same port of the same host; "
    "the first line that states a version counts, or else the first"
)
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
    if assembly.own_products:
        assembly.notes["products that only this network calls so, numbered"] = assembly.own_products
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


@dataclass(slots=True)
class _Numbered:
    """Gives equal texts one number, in the order of their first appearance."""

    word: str
    _numbers: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._numbers)

    def of(self, text: str) -> str:
        return f"{self.word}-{self._numbers.setdefault(text, len(self._numbers) + 1)}"


class _Assembly:
    def __init__(
        self, findings: Findings, keep_names: bool, known: PublicNames, named_by: GreetingReader
    ) -> None:
        self._findings = findings
        self._keep_names = keep_names
        self._known = known
        self._named_by = named_by
        self._identifying = _identifying_words(findings) if not keep_names else frozenset[str]()
        self._addresses = frozenset[str]().union(*(host.addresses for host in findings.hosts))
        self._contradictions = Contradictions(known.are_alike)
        self._products = _Numbered("Product")
        self._titles = _Numbered("Page")
        self._subjects = _Numbered("CN=Subject")
        self._taken: set[str] = set()
        self._equal: dict[str, int] = {}
        self._of_role: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()

    def hosts(self) -> Iterable[Host]:
        """Yield every host with its new name, in the order of the files."""
        for found in self._findings.hosts:
            if found.absent is not None and found.is_left_out:
                self.notes[found.absent] += 1
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

    def _note_contradictions(
        self, where: str, service: Service, host: FoundHost, place: tuple[int, Transport]
    ) -> None:
        if len(host.services[place]) < 2:
            return
        for each in self._contradictions.of(host.described(*place)):
            self.notes[_CONTRADICTIONS] += 1
            if self.notes[_CONTRADICTIONS] <= MAX_LISTED:
                other = self._contradicting(each.other)
                first, second = map(self._findings.source_of, (each.counts, each.other))
                what = f"{service.label} of {first} counts, not {other} of {second}, {each.why}"
                self.notes[f"files contradict each other: {where}: {what}."] += 1

    def contradicting_lines(self) -> tuple[str, ...]:
        """Return a sentence for each line of a table that contradicts one before it, then how many more."""
        lines = dict.fromkeys(
            each.where
            for each in self._findings.repeated
            if any(self._contradictions.of((each.before, each.again)))
        )
        said = [f"{where}: {_ANOTHER_PRODUCT}" for where in [*lines][:MAX_LISTED]]
        if (rest := len(lines) - len(said)) > 0:
            said.append(f"{rest} more such lines")
        return tuple(said)

    def _contradicting(self, found: FoundService) -> str:
        """Return what a file says that does not count, if everybody may read it."""
        product = words.product(found.product or "")
        if product is None or not self._is_public_product(product, found):
            product = "another product"
        version = words.version(found.version or "")
        if version is not None and not self._keep_names:
            version = None if self._names_something(version) else public_version(version)
        return " ".join(filter(None, (product, version)))

    @property
    def own_products(self) -> int:
        """How many products were numbered."""
        return len(self._products)

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
        greeted = self._named_by(found.banner) if found.banner and not found.product else None
        if greeted is not None:
            self.notes["services that their banners identify"] += 1
            found = found.identified(greeted)
        name, product = self._name_and_product(found)
        tls = self._tls(found.tls) if found.tls is not None else None
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
            version=self._version(found.version),
            cpe=self._cpe(found.cpe, found),
            tls=tls,
            title=self._title(found.title),
            banner=self._banner(found.banner),
            confidence=min(max(found.confidence, 0.0), 1.0),
            is_mute=found.is_mute,
            is_banner=found.is_banner,
        )

    def _name_and_product(self, found: FoundService) -> tuple[str | None, str | None]:
        name = words.service_name(found.name or "")
        product = words.product(found.product or "")
        if product is not None and is_protocol(product):
            # People's tables say HTTPS where they mean what is spoken.
            name, product = product.casefold(), None
        if not found.from_scanner and name not in INSIDE_TLS:
            protocol = protocol_of(name, product, 0, "tcp")
            name = protocol.name if protocol is not None else name
        if name is not None and (name == _UNNAMED or not self._is_public_name(name)):
            name = None
        if product is None or self._is_public_product(product, found):
            return name, product
        known = software_in(product)
        if known is not None and not found.from_scanner:
            self.notes["products reduced to the software that they name"] += 1
            return name, known
        return name, self._products.of(product.casefold())

    def _is_public_name(self, name: str) -> bool:
        return self._keep_names or (not self._identifies(name) and self._known.is_protocol(name))

    def _is_public_product(self, product: str, found: FoundService) -> bool:
        return self._keep_names or (
            not self._identifies(words.one_line(found.product or "") or "")
            and self._known.is_software(product)
        )

    def _version(self, text: str | None) -> str | None:
        version = words.version(text or "")
        if version is None or self._keep_names:
            return version
        public = None if self._names_something(version) else public_version(version)
        if public is None:
            self.notes["versions with names in them, left out"] += 1
        elif public != version:
            self.notes["versions cut at what could be a name"] += 1
        return public

    def _cpe(self, names: tuple[str, ...], found: FoundService) -> tuple[str, ...]:
        fit = [name for text in names[:8] if (name := words.cpe(text))]
        if self._keep_names:
            return tuple(dict.fromkeys(fit))
        product = words.product(found.product or "")
        if product is not None and not self._is_public_product(product, found):
            return ()
        public = (public_cpe(name) for name in fit if not self._identifies(name.replace(":", " ")))
        return tuple(dict.fromkeys(public))

    def _tls(self, found: FoundTls) -> TlsFacts:
        until = found.not_after
        if until is not None and until.year not in _YEARS_OF_CERTIFICATES:
            self.notes["ends of certificates that no stand-in can have, left out"] += 1
            until = None
        if until is not None and not self._keep_names:
            until = until.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return TlsFacts(
            versions=found.versions,
            subject=self._subject(found.subject),
            issuer=self._subject(found.issuer),
            not_after=until,
            self_signed=found.self_signed,
        )

    def _subject(self, text: str | None) -> str | None:
        line = words.one_line(text or "")
        return line if line is None or self._keep_names else self._subjects.of(line)

    def _title(self, text: str | None) -> str | None:
        line = words.one_line(text or "")
        if line is None or self._keep_names:
            return line
        # `Welcome to nginx!` says which software it is, and not whose.
        public = line in self._known.titles or all(is_listed(word) for word in words_of(line))
        return line if public and line.isascii() and not self._identifies(line) else self._titles.of(line)

    def _banner(self, text: str | None) -> str | None:
        line = words.one_line(text or "")
        if line is not None and not self._keep_names:
            self.notes["banners, which quote names and are left out"] += 1
            return None
        return line

    def _identifies(self, text: str) -> bool:
        """Whether a text names something of this network."""
        if self._keep_names:
            return False
        return _ADDRESS.search(text) is not None or self._names_something(text)

    def _names_something(self, text: str) -> bool:
        # Versions of four numbers look like addresses; those of this network are among its words.
        return bool(
            _MAIL.search(text)
            or _DOMAIN.search(text)
            or not self._identifying.isdisjoint(words_of(text))
            or not self._addresses.isdisjoint(text.split())
        )


def _identifying_words(findings: Findings) -> frozenset[str]:
    """Return the words of all names that the files hold, but for those that any network has."""
    texts = [*findings.words, *(name for host in findings.hosts for name in host.names)]
    found = {word for text in texts for word in words_of(text.replace(".", " ")[:400])}
    bare = {word.rstrip("0123456789") for word in found}
    return frozenset(
        word for word in found | bare if not is_common(word) and not is_common(word.rstrip("0123456789"))
    )
