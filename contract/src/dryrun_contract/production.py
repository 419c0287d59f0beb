"""Scans of production: what each covers, and so what it can prove absent."""

from ipaddress import ip_network
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StrictBool, StringConstraints

from dryrun_contract.base import UtcTime, Word

MAX_NETWORKS = 256
"""Of one list; a scan of more is reported as several."""


def _network(text: str) -> str:
    return str(ip_network(text, strict=False))


type Network = Annotated[
    str,
    StringConstraints(max_length=64, pattern=r"^[0-9a-fA-F.:/]+$"),
    AfterValidator(_network),
    Field(examples=["192.0.2.0/24"]),
]
"""A network or an address, e.g. `192.0.2.0/24`; bits of the host are dropped."""


class ScanStart(Word):
    """A scan that begins: who scans what, and how thoroughly."""

    collector: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$", examples=["network"])]
    targets: Annotated[tuple[Network, ...], Field(min_length=1, max_length=MAX_NETWORKS)]
    exclude: Annotated[tuple[Network, ...], Field(max_length=MAX_NETWORKS)] = ()
    profile: Literal["quick", "full"]
    """A quick scan proves nothing about what only full ones found."""


class ScanEnd(Word):
    """The end of a scan."""

    complete: StrictBool
    """Whether the collector covered all of it, to its end line; otherwise nothing is concluded."""
    not_covered: Annotated[tuple[Network, ...], Field(max_length=MAX_NETWORKS)] = ()
    """What of its targets it did not reach after all."""


class ScanView(Word):
    """A scan of production."""

    id: UUID
    collector: str
    targets: tuple[str, ...]
    excluded: tuple[str, ...]
    """What its start excluded, and what it did not cover."""
    profile: Literal["quick", "full"]
    started_by: str
    started_at: UtcTime
    ended_at: UtcTime | None
    complete: bool | None
    missed: int | None
    """Discoveries that it covered and did not report; null until it ended."""
    gone: int | None
    """Those of them that it made gone."""


class ScanList(Word):
    """The newest scans, newest first."""

    scans: tuple[ScanView, ...]
