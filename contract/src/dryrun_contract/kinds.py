"""The kinds of things that collectors discover: what a new kind needs is one row of `KINDS`.

Ground truth is checked against these rows, reports are scored by them, pages and terminal take their words
from them, and `python -m dryrun_contract.kinds` writes them as the table in `docs/kinds.md`.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from dryrun_contract.resource_key import MAX_NAMES

type ComparedAs = Literal["text", "number", "names", "spellings"]
"""How ground truth writes a scored value and how it is compared: as a text, as a whole number, as a list of
names in any order, or as a text for which ground truth may list several spellings (`docs/scoring.md`)."""

COMPARISONS: Mapping[str, ComparedAs] = MappingProxyType(
    {"columns": "names", "product": "spellings", "records": "number"}
)
"""Scored attribute → how it is compared; one without a row is a text. A name means the same in every kind."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of discovery."""

    name: str
    title: str
    """One such thing, as people call it; pages and terminal show it, with a plural formed by rule."""
    key: str
    """What follows the host in its key, e.g. `:PORT/tcp/DATABASE`; nothing for the host itself."""
    names: tuple[int, int] = (0, 0)
    """Fewest and most names after the port in its key."""
    scored: tuple[str, ...] = ()
    """Attributes that are compared with the ground truth. All others are evidence."""
    shown: tuple[str, ...] = ()
    """Attributes that describe it in one line, after its key."""
    note: str = ""
    """What an author of ground truth should know besides."""


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind("host", "host", ""),
            Kind(
                "service",
                "service",
                ":PORT/tcp",
                scored=("product", "version"),
                shown=("product", "version"),
                note="`:PORT/udp` where it answers by UDP",
            ),
            Kind(
                "database",
                "database",
                ":PORT/tcp/DATABASE",
                names=(1, 1),
                scored=("engine",),
                shown=("engine",),
                note="for Redis its number; `engine`: `postgresql`, `mariadb`, `mysql`, `mongodb` or `redis`",
            ),
            Kind(
                "table",
                "table",
                ":PORT/tcp/DATABASE/TABLE or :PORT/tcp/DATABASE/SCHEMA/TABLE",
                names=(2, 3),
                scored=("columns",),
                shown=("columns",),
                note="also a collection of a document store",
            ),
            Kind(
                "web_app",
                "web app",
                ":PORT/tcp or :PORT/tcp/PATH…",
                names=(0, MAX_NAMES),
                scored=("title", "server", "framework", "version"),
                shown=("title", "framework"),
                note="a login page or a further application has its path: `:80/tcp/admin/login`",
            ),
            Kind(
                "certificate",
                "certificate",
                ":PORT/tcp",
                scored=("subject", "issuer", "not_after"),
                shown=("subject",),
            ),
            Kind(
                "dns_zone",
                "DNS zone",
                ":53/tcp/ZONE",
                names=(1, 1),
                scored=("records",),
                note="in lower case; it is copied by TCP",
            ),
            Kind(
                "directory",
                "directory",
                ":389/tcp/NAMING-CONTEXT",
                names=(1, 1),
                scored=("vendor",),
                shown=("vendor",),
                note="the naming context in lower case",
            ),
            Kind("share", "share", ":445/tcp/SHARE", names=(1, 1), scored=("type",), shown=("type",)),
            Kind(
                "snmp_system",
                "SNMP system",
                ":161/udp",
                scored=("name", "description", "location"),
                shown=("name", "location"),
            ),
        )
    }
)
"""Kinds by name, in the order of reports. Collectors may report others, scored by what facts carry."""

LOOKS: Mapping[tuple[str, str], tuple[str, str]] = MappingProxyType(
    {
        ("service", "product"): ("the product's name, without vendor and version", "nginx"),
        ("service", "version"): ("as the server says it, without the product", "1.26.3"),
        ("database", "engine"): ("in lower case", "postgresql"),
        ("table", "columns"): ("names, or objects with a `name`; all of them", '["id", "total"]'),
        ("web_app", "title"): ("the page's `<title>`, its entities resolved", "Tide gauge 7"),
        ("web_app", "server"): ("the product in the header `Server`, without a version", "nginx"),
        ("web_app", "framework"): ("the name alone", "Django"),
        ("web_app", "version"): ("the framework's, not the server's", "6.1"),
        ("certificate", "subject"): (
            "the whole distinguished name by RFC 4514: most specific first, commas without spaces",
            "CN=www.pineharbour.example,O=Pineharbour Ltd",
        ),
        ("certificate", "issuer"): ("as the subject", "CN=Pineharbour Internal CA,O=Pineharbour Ltd"),
        ("certificate", "not_after"): ("RFC 3339 in UTC, whole seconds, with `Z`", "2039-12-31T23:59:59Z"),
        ("dns_zone", "records"): ("how many, the SOA record once", "14"),
        ("directory", "vendor"): ("the server's name", "OpenLDAP"),
        ("share", "type"): ("in lower case: `disk`, `printer`, `device` or `ipc`", "disk"),
        ("snmp_system", "name"): ("sysName", "core-sw-1"),
        ("snmp_system", "description"): ("sysDescr, unchanged", "Linux core-sw-1 6.1.0"),
        ("snmp_system", "location"): ("sysLocation", "Room 2, rack B"),
    }
)
"""What a scored value looks like, and an example; for whoever writes ground truth or brings a scanner."""

OTHER_KINDS = "of other kinds"


def counted_kind(kind: str) -> str:
    """Return the name under which a kind is counted: its own, or `OTHER_KINDS` for one without a row.

    A hostile collector can invent a kind for each discovery; a list by kind stays bounded.
    """
    return kind if kind in KINDS else OTHER_KINDS


def title_of(kind: str) -> str:
    """Return what people call a thing of this kind; a kind without a row goes by its own name.

    >>> title_of("dns_zone"), title_of("management_board")
    ('DNS zone', 'management board')
    """
    return KINDS[kind].title if kind in KINDS else kind.replace("_", " ")


def titles_of(kind: str, count: int) -> str:
    """Return what people call one or several things of a kind.

    >>> titles_of("service", 1), titles_of("service", 2), titles_of("directory", 0), titles_of(OTHER_KINDS, 2)
    ('service', 'services', 'directories', 'of other kinds')
    """
    title = title_of(kind)
    if count == 1 or kind == OTHER_KINDS:
        return title
    return f"{title[:-1]}ies" if title.endswith("y") else f"{title}s"


def render_table() -> str:
    """Return `docs/kinds.md`: each kind with its key and its scored attributes."""
    rows = [
        "# Kinds of discoveries",
        "",
        "Written by `python -m dryrun_contract.kinds` from `dryrun_contract.kinds.KINDS`, where a new kind",
        "is a new row. The key column shows what follows the host: ground truth writes exactly that, reports",
        "put the service's name before it. `/` and `%` inside a name are written `%2F` and `%25`.",
        "",
        "| kind | key | scored attributes | |",
        "|---|---|---|---|",
    ]
    rows += [
        f"| `{kind.name}` | `{kind.key or '""'}` | {_attributes(kind)} | {kind.note} |"
        for kind in KINDS.values()
    ]
    rows += [
        "",
        "## What values look like",
        "",
        "Values are compared as texts, without surrounding blanks and without regard to case, except",
        "where the table says otherwise: a number is compared by its digits; of `spellings` the reported",
        "text has to be one; `names` are a set, compared exactly. Nothing else is normalised: a date in",
        "another form, or a distinguished name in another order, is a wrong value. A collector that does not",
        "know a value leaves it out, which costs recall and no precision ([scoring.md](scoring.md)).",
        "",
        "| attribute | how it looks | for example | compared as |",
        "|---|---|---|---|",
    ]
    rows += [
        f"| `{kind}.{attribute}` | {words} | `{example}` | {COMPARISONS.get(attribute, 'text')} |"
        for (kind, attribute), (words, example) in LOOKS.items()
    ]
    rows += [
        "",
        "Other attributes of a discovery are evidence: shown, and not scored. The lines in which collectors",
        "report are specified in [schemas/collector-line.schema.json](schemas/collector-line.schema.json).",
    ]
    return "\n".join(rows) + "\n"


def _attributes(kind: Kind) -> str:
    return ", ".join(
        f"`{name}` ({COMPARISONS[name]})" if name in COMPARISONS else f"`{name}`" for name in kind.scored
    )


if __name__ == "__main__":
    sys.stdout.write(render_table())
