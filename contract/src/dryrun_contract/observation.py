"""What a forecast keeps of one rehearsal: of each target what was found on it, and what that cost."""

from operator import not_
from typing import Annotated

from pydantic import Field

from dryrun_contract.base import Word
from dryrun_contract.census import Census, Place
from dryrun_contract.scan_choice import ScanChoice

MAX_PLACES = 400
"""Places of one target; a stand-in has at most 200 services."""
MAX_SPELLING = 80


class Tally(Word):
    """Of one target and one row of the scores: how many facts were found of those that could be."""

    kind: str
    attribute: str | None
    found: int
    of: int


class SeenService(Word):
    """The fate of one service of a target."""

    found: bool
    identified: bool | None = None
    """Whether its product was reported correctly; None where the ground truth has none."""
    called: str | None = Field(default=None, max_length=MAX_SPELLING)
    """The product as it was reported, where that was right."""


class SeenTarget(Word):
    """One target; figures are None where nothing was measured."""

    found: bool
    services: dict[Place, SeenService] = Field(default_factory=dict, max_length=MAX_PLACES)
    inside: tuple[Tally, ...] = ()
    packets: int | None = None
    bytes: int | None = None
    answers: int | None = None
    connections: int | None = None
    failed_logins: int | None = None
    log_lines: int | None = None
    log_read_in_part: Annotated[bool, Field(exclude_if=not_)] = False
    """Its log was not searched to its end: what it counts is at least that much."""
    harmed: bool = False


class Observation(Word):
    """One rehearsal on a template that stands for a real network."""

    template: str
    census: Census
    hosts: int
    """Hosts of the real network."""
    scan: ScanChoice
    """Rehearsals of other scans say nothing about this one."""
    collectors: tuple[str, ...]
    seconds: float | None
    complete: bool
    """Every collector ran to its end."""
    targets: dict[str, SeenTarget]
