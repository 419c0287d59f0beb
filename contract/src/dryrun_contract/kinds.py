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

type Comparison = Literal["text", "number", "names", "spellings"]
"""How ground truth writes a scored value and how it is compared: as a text, as a whole number, as a list of
names in any order, or as a text for which ground truth may list several spellings (`docs/scoring.md`)."""

COMPARISONS: Mapping[str, Comparison] = MappingProxyType(
    {"columns": "names", "product": "spellings", "records": "number"}
)
"""Scored attribute → its comparison; one without a row is a text. A name means the same in every kind."""


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
                ":53/udp/ZONE",
                names=(1, 1),
                scored=("records",),
                note="in lower case; the transport is the one by which it was requested",
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
    return "\n".join(rows) + "\n"


def _attributes(kind: Kind) -> str:
    return ", ".join(
        f"`{name}` ({COMPARISONS[name]})" if name in COMPARISONS else f"`{name}`" for name in kind.scored
    )


if __name__ == "__main__":
    sys.stdout.write(render_table())
