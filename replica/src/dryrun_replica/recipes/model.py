"""One recipe: how Debian's package of a product is run as a stand-in, and what is true of it then.

Recipes belong to the project. They are reviewed like code: `start` and `fill` are shell. What an inventory
says never gets there; it reaches configuration files only, through the placeholders of `templates.py`.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from dryrun_contract.base import Word
from dryrun_replica.inventory.model import ServiceName, Transport
from dryrun_replica.recipes.templates import placeholder_faults

type Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$", max_length=40)]
type Package = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]{1,60}$")]
type Capability = Literal[
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE", "SETGID", "SETUID", "SYS_CHROOT"
]
type Category = Literal[
    "build",
    "cache",
    "chat",
    "database",
    "directory",
    "file",
    "mail",
    "media",
    "monitoring",
    "name",
    "print",
    "proxy",
    "queue",
    "remote",
    "storage",
    "time",
    "version-control",
    "web",
]

_SIZE = re.compile(r"([1-9][0-9]{0,3})([km])")
_UNITS = {"k": 1024, "m": 1024**2}
CONTAINER_MIB = 512
CONTAINER_PIDS = 100
"""What a container of a session has (the design's ceilings): all services of a host share them."""
MAX_TMPFS_BYTES = 256 * 1024**2
"""The allowlist's and the guard's ceiling of one mount: all rooms of a host share it. A larger one would make
the whole allowlist invalid."""
SPARE_ROOM_BYTES = 1024**2
"""The part of that mount for what belongs to no recipe."""


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text)
    assert found is not None
    return int(found[1]) * _UNITS[found[2]]


class Names(Word):
    """By which names inventories call the product."""

    nmap: tuple[str, ...] = Field(min_length=1)
    """Its names in nmap's table of services; the first is the product of the ground truth."""
    cpe: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.\\-]+:[a-z0-9_.+\\-]+$")], ...] = ()
    """`vendor:product`, as in the CPE dictionary."""
    others: tuple[str, ...] = ()
    """Its other names: in NetBox, Compose files and lists that people write."""
    titles: tuple[str, ...] = ()
    """Titles of its first page, where several products go by one name."""
    unnamed: bool = False
    """Whether nmap may name no product: it knows the protocol at most."""
    beneath: tuple[str, ...] = ()
    """What nmap names in its place: a library or a protocol that many products share."""


class Version(Word):
    """Where the version that exists here is read."""

    command: str
    """Shell, run once in the shared root; prints the version as the product shows it."""
    shown: bool = True
    """Whether a client without a login can see it; ground truth has no version otherwise."""


class Health(Word):
    """The question that shows that a service works; exactly one of `http`, `line`, `answer`, `opens`."""

    http: Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9/._-]*$")] | None = None
    """A path; any answer of HTTP counts."""
    line: Annotated[str, StringConstraints(pattern=r"^[ -~]{1,40}$")] | None = None
    """How the first line begins that the service sends unasked."""
    send: Annotated[str, StringConstraints(pattern=r"^[ -~]{1,400}$")] | None = None
    """What is sent, as `printf` of bash writes it; with `answer`."""
    answer: Annotated[str, StringConstraints(pattern=r"^[ -~]{0,40}$")] | None = None
    """What the answer holds, as a fixed text; empty where any answer will do."""
    opens: bool = False
    """Accepting a connection is enough; for services that answer nothing before a login."""
    seconds: float = Field(default=20, gt=0, le=120)
    """How long it may take to start on half a processor."""

    @model_validator(mode="after")
    def _is_one_question(self) -> Self:
        if [self.http is not None, self.line is not None, self.answer is not None, self.opens].count(
            True
        ) != 1:
            raise ValueError("asks one question: http, line, answer or opens")
        if self.send is not None and self.answer is None:
            raise ValueError("send needs an answer")
        return self


class Root(Word):
    """Why a product cannot run as an unprivileged user, and what it is given back of root's rights."""

    reason: Annotated[str, StringConstraints(min_length=10, max_length=300)]
    capabilities: tuple[Capability, ...]


class Truth(Word):
    """A fact beside the service itself, e.g. a page's title; `key` follows the service's."""

    kind: Literal["web_app", "directory", "share", "snmp_system", "dns_zone"]
    key: Annotated[str, StringConstraints(pattern=r"^(?:/[A-Za-z0-9._$=,-]+)*$")] = ""
    data: dict[Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,20}$")], str] = Field(
        default_factory=dict
    )


class Recipe(Word):
    """The recipe of one product."""

    name: Slug
    """The file's name without `.yml`."""
    title: Annotated[str, StringConstraints(min_length=2, max_length=60)]
    category: Category
    protocol: ServiceName
    """As nmap names it, e.g. `http`."""
    relative_of: tuple[ServiceName, ...] = ()
    """Protocols whose other products it may stand for."""
    transports: tuple[Transport, ...] = ("tcp",)
    """What it opens on its port: a name server is on both."""
    names: Names
    packages: tuple[Package, ...] = Field(min_length=1)
    programs_of: tuple[Package, ...] = ()
    """Packages that its programs belong to, where those above only depend on them; for verification."""
    unpacked: tuple[Package, ...] = ()
    """Packages that are unpacked only: Debian installs no two mail servers, and what others depend on may be
    large and not needed. Libraries that they miss are a fault of the build."""
    users: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,30}$")], ...] = ()
    """Users that programs of `unpacked` want to exist."""
    version: Version
    tls: Literal["own", "front", "always", "never"] = "front"
    """`own`: its own, by the lines `@tls` of its files; `front`: stunnel stands before it; `always`: it
    speaks nothing else; `never`: its protocol knows none."""
    files: dict[
        Annotated[str, StringConstraints(pattern=r"^(?:[a-z]{1,20}/)?[a-z0-9][a-z0-9._-]{0,40}$")], str
    ] = Field(default_factory=dict)
    """Configuration with placeholders, see `templates.py`."""
    fill: str | None = None
    """Shell, run once while the image is built, e.g. to make a cluster; `$HERE/data` is its place."""
    fill_mb: int = Field(default=0, ge=0)
    """What `fill` adds to an image, in 10^6 bytes."""
    start: str
    """Shell; ends with `exec` of the server in the foreground."""
    room: Annotated[str, StringConstraints(pattern=_SIZE.pattern)] = "1m"
    """What it writes to `$RUN`, at most: its share of the host's tmpfs."""
    tmpfs: dict[Annotated[str, StringConstraints(pattern=r"^(?:/[a-z0-9_][A-Za-z0-9_.-]*)+$")], str] = Field(
        default_factory=dict
    )
    """Further places that it has to write to, with their sizes."""
    memory_mib: int = Field(gt=0, le=CONTAINER_MIB)
    """What it holds when idle, measured."""
    pids: int = Field(default=1, gt=0, le=CONTAINER_PIDS)
    root: Root | None = None
    health: Health
    truth: tuple[Truth, ...] = ()
    no_logins: bool = False
    """Whether nobody can log in to it as it is configured here, so that no login fails either."""
    failed_logins: Annotated[str, StringConstraints(min_length=4, max_length=100)] | None = None
    """A regular expression for the line of its output that reports a failed login. Without it, and with
    logins, how many failed there is not known."""
    only_once: bool = False
    """Whether a second one on the same host would meet the first, e.g. in a fixed path."""

    @field_validator("tmpfs")
    @classmethod
    def _sizes_are_sizes(cls, value: dict[str, str]) -> dict[str, str]:
        for size in value.values():
            if not _SIZE.fullmatch(size):
                raise ValueError(f"{size!r} is not a size; write a number with k or m, e.g. 4m")
        return value

    @model_validator(mode="after")
    def _templates_are_sound(self) -> Self:
        texts = [*self.files.values(), *(value for fact in self.truth for value in fact.data.values())]
        faults = [fault for text in texts for fault in placeholder_faults(text)]
        if faults:
            raise ValueError("; ".join(faults))
        has_lines_for_tls = any(re.search(r"(?m)^@tls ", text) for text in self.files.values())
        if has_lines_for_tls != (self.tls == "own"):
            raise ValueError("tls: own and lines that begin with @tls belong together")
        return self

    @model_validator(mode="after")
    def _lines_of_failed_logins_can_be_told(self) -> Self:
        if self.failed_logins is None:
            return self
        if self.no_logins:
            raise ValueError("no_logins and failed_logins exclude each other")
        try:
            empty = re.compile(self.failed_logins).search("")
        except re.PatternError as error:
            raise ValueError(f"failed_logins is not a regular expression: {error}") from None
        if empty:
            raise ValueError("failed_logins matches an empty line, so every line would count")
        return self

    @property
    def room_bytes(self) -> int:
        """Its share of the host's tmpfs."""
        return _bytes(self.room)

    @property
    def tmpfs_bytes(self) -> dict[str, int]:
        """Further mounts, in bytes."""
        return {path: _bytes(size) for path, size in self.tmpfs.items()}

    @property
    def products(self) -> tuple[str, ...]:
        """Spellings of the product, any of which is right. The first is its own: others may have many."""
        spellings: dict[str, str] = {}
        for spelling in (self.title, *self.names.nmap):
            spellings.setdefault(spelling.casefold(), spelling)
        return tuple(spellings.values())
