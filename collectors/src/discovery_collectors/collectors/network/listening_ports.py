"""Where today's software listens (`listening_ports.tsv`), and which ports `quick` adds to nmap's thousand.

nmap's own table is no part of it: its licence is another, and its most common ports join at run time.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from discovery_collectors.collectors.network.moved_ports import beside, moved_ports
from discovery_collectors.collectors.network.nmap_data import most_common_ports

MOST_COMMON = 1000
"""Ports that are taken from nmap's table."""
_TABLE = Path(__file__).with_name("listening_ports.tsv")
ROLES = ("primary", "tls", "admin", "cluster", "metrics")


@dataclass(frozen=True, slots=True)
class ListeningPort:
    """A documented default port of a product."""

    port: int
    protocol: str
    software: str
    role: str
    """One of ROLES: what clients use, the same over TLS, consoles and APIs for operators, peers, scrapers."""
    source: str
    """Where the product's documentation, its standard or IANA's registry states it."""


@cache
def documented_ports() -> tuple[ListeningPort, ...]:
    """Return the table's rows."""
    head, *lines = _TABLE.read_text(encoding="utf-8").splitlines()
    names = head.split("\t")
    rows = (dict(zip(names, line.split("\t"), strict=True)) for line in lines)
    return tuple(
        ListeningPort(int(row["port"]), row["protocol"], row["software"], row["role"], row["source"])
        for row in rows
    )


def rarer_ports(collectors_own: Collection[int]) -> frozenset[int]:
    """Return the TCP ports that the profile `quick` adds to nmap's most common ones.

    These are the table's, the places that services are moved to, and `collectors_own`, which the collectors
    name themselves.
    """
    rows = [row for row in documented_ports() if row.protocol == "tcp"]
    documented = {row.port for row in rows}
    # Exporters are numbered on where a host has several, and hardly ever given a digit in front.
    digits = {row.port for row in rows if row.role != "metrics"}
    places = moved_ports() | beside(documented, digits) | documented | set(collectors_own)
    return places - most_common_ports(MOST_COMMON)
