"""What is known of a network, whichever file it was read from.

Every text in here went through `inventory.words`: printable, one line, bounded. None of it is a command, a
path or an address of the real network, and nothing that builds may use it as one.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from dryrun_contract.base import UtcTime, Word
from dryrun_replica.inventory.found_service import GUESSED

MAX_FILES = 20
MAX_HOSTS = 10_000
MAX_SERVICES_OF_A_HOST = 200
MAX_SERVICES = 100_000
"""Services of one inventory."""

type Transport = Literal["tcp", "udp"]
type Text = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")
]
"""One line, without control characters."""
type ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._/+-]{0,39}$")]
"""What nmap's table of services calls a protocol, e.g. `http`, `ms-sql-s`."""
type Product = Annotated[str, StringConstraints(max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9 .,+_/()-]*$")]
type Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 .,:+_/()~-]{0,59}$")]
type Cpe = Annotated[str, StringConstraints(pattern=r"^cpe:(?:/|2\.3:)[aho]:[A-Za-z0-9._~%!*\\:+-]{1,180}$")]
type HostName = Annotated[str, StringConstraints(pattern=r"^[a-z](?:[a-z0-9-]{0,50}[a-z0-9])?$")]
"""As a template names its services."""
WRAPPED = "tcpwrapped"
"""What nmap calls a port that takes a connection and ends it without a word."""
PRINTED = "9100/tcp"
"""Where printers print whatever arrives: neither nmap nor a collector writes to it."""
type Image = Annotated[
    str,
    StringConstraints(pattern=r"^discovery/test-[a-z0-9]+(?:-[a-z0-9]+)*:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$"),
]


class TlsFacts(Word):
    """What a service shows of itself before anybody logs in. Names are generalised unless they are kept."""

    versions: tuple[Annotated[str, StringConstraints(pattern=r"^(?:SSLv[23]|TLSv1(?:\.[0-3])?)$")], ...] = ()
    subject: Text | None = None
    """As RFC 4514 writes it, e.g. `CN=web-3`."""
    issuer: Text | None = None
    not_after: UtcTime | None = None
    """The first of its month, unless names are kept: to the second, it would identify the certificate."""
    self_signed: bool | None = None


class Service(Word):
    """One port that answers, and what answers there as far as the inventory knows."""

    port: int = Field(ge=1, le=65535)
    transport: Transport = "tcp"
    name: ServiceName | None = None
    product: Product | None = None
    version: Version | None = None
    cpe: tuple[Cpe, ...] = Field(default=(), max_length=8)
    tls: TlsFacts | None = None
    """None where the service speaks without TLS, or nobody looked."""
    title: Text | None = None
    """Title of the page that a web server shows first."""
    banner: Text | None = None
    confidence: float = Field(default=1.0, ge=0, le=1)
    """Confidence in the identification: 1 for what people state, 0.3 for a guess by the port's number."""
    is_mute: bool | None = None
    """Whether a scanner asked what it is, and no question had an answer; None where none asked."""
    is_banner: bool = False
    """The host's image only shows a banner there, or keeps the port open."""

    @property
    def place(self) -> str:
        """Port and transport, e.g. `443/tcp`."""
        return f"{self.port}/{self.transport}"

    @property
    def is_guess(self) -> bool:
        """Whether only its port's number names it."""
        return self.product is None and self.confidence <= GUESSED

    @property
    def label(self) -> str:
        """What people call it: product or protocol, and version; or `unknown`."""
        named = self.product or self.name
        return " ".join(filter(None, (named, self.version))) if named else "unknown"

    @property
    def shown(self) -> str:
        """The label, and of a port that nobody can name what a scanner saw there.

        >>> Service(port=9, is_mute=True).shown, Service(port=9, is_mute=False).shown, Service(port=9).shown
        ('open, no answer', 'open, answer not recognised', 'open, not identified')
        >>> Service(port=9100, is_mute=True).shown
        'open, not asked: a printer would print it'
        """
        if self.product is None and self.name == WRAPPED:
            return "open, hangs up at once (tcpwrapped)"
        if self.label != "unknown":
            return self.label
        if self.place == PRINTED and self.is_mute is not False:
            return "open, not asked: a printer would print it"
        if self.is_mute is None:
            return "open, not identified"
        return "open, no answer" if self.is_mute else "open, answer not recognised"


class Host(Word):
    """One machine of the network."""

    name: HostName
    """Unique in its inventory: role and number, e.g. `web-3`, or its own name where names are kept."""
    role: HostName
    """What most of its services are for, e.g. `web`."""
    image: Image | None = None
    """The image that it was, where the inventory is the report of a rehearsal."""
    image_id: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    """Its content: a name alone proves nothing."""
    rehearsed: str | None = None
    """The template whose report says so, one of the inventory's."""
    services: tuple[Service, ...] = Field(default=(), max_length=MAX_SERVICES_OF_A_HOST)
    """By port and transport, each once; empty for a host that answers nowhere."""

    @model_validator(mode="after")
    def _each_place_once_and_in_order(self) -> Self:
        places = [(service.port, service.transport) for service in self.services]
        if places != sorted(set(places)):
            raise ValueError("services stand in the order of their ports, each once")
        return self


MAX_NOTE_CHARACTERS = 500
"""Two products with their versions, the host's name, and which of them counts."""


class Note(Word):
    """Something that reading changed or left out, which the plan repeats."""

    what: Annotated[
        str,
        StringConstraints(min_length=1, max_length=MAX_NOTE_CHARACTERS, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$"),
    ]
    count: int = Field(default=1, ge=1)

    @property
    def shown(self) -> str:
        """The note as people read it: what there is and how much of it, or a sentence that says all.

        >>> Note(what="hosts left out", count=1200).shown, Note(what="One counts, the other does not.").shown
        ('hosts left out: 1,200', 'One counts, the other does not.')
        """
        return self.what if self.what.endswith(".") else f"{self.what}: {self.count:,}"


class Source(Word):
    """A file that an inventory was read from. Its name is not kept: people put their company's into it."""

    format: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    """How the file is written, e.g. `nmap-xml`."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the file's bytes."""


class Inventory(Word):
    """A network as one or more files describe it."""

    sources: tuple[Source, ...] = Field(min_length=1, max_length=MAX_FILES)
    read_at: UtcTime
    names_kept: bool = False
    rehearsed: tuple[str, ...] = Field(default=(), max_length=MAX_FILES)
    """The templates of the reports among the sources."""
    unread: tuple[str, ...] = Field(default=(), max_length=MAX_FILES + 1, exclude=True, repr=False)
    """What files lack or is not read, in their own words: shown to whoever imports them, never kept."""
    contradicting: tuple[str, ...] = Field(default=(), max_length=100, exclude=True, repr=False)
    """Lines of a table that contradict others: shown to whoever imports it, never kept."""
    hosts: tuple[Host, ...] = Field(default=(), max_length=MAX_HOSTS)
    notes: tuple[Note, ...] = Field(default=(), max_length=100)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        if len({host.name for host in self.hosts}) < len(self.hosts):
            raise ValueError("two hosts have one name")
        return self
