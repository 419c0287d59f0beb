"""One fact of a template over time: which version of the collectors found it, and which did not."""

from typing import Literal
from uuid import UUID

from pydantic import JsonValue

from dryrun_contract.base import UtcTime, Word


class CollectorVersion(Word):
    """What a collector ran from."""

    collector: str
    image: str
    """The image's ID."""
    configuration: str | None
    """Digest of its configuration; None for runs of older versions."""


class FactRun(Word):
    """What became of the fact in one session of an experiment."""

    session_id: UUID
    experiment_id: UUID
    arm: str
    seed: int
    at: UtcTime
    fate: Literal["found", "missed", "not_evaluable", "unknown"]
    """`unknown`: the run had more facts than an experiment keeps."""
    value: str | None


class FactVersion(Word):
    """All runs of the same collectors from the same images with the same configuration, oldest first."""

    collectors: tuple[CollectorVersion, ...]
    found: int
    of: int
    """Runs that found or missed it."""
    values: dict[str, int]
    """Value as text → in how many runs it was reported, the most frequent first."""
    runs: tuple[FactRun, ...]


class FactHistory(Word):
    """The versions that ran on the template, the one that ran last first."""

    template: str
    kind: str
    key: str
    attribute: str | None
    expected: JsonValue
    """The true value, where a run knows it."""
    versions: tuple[FactVersion, ...]
    more: bool
    """Whether there are older runs than those looked at."""
