"""Retention: for how long things are kept, and what was removed because it was older."""

from dryrun_contract.base import UtcTime, Word


class Removed(Word):
    """One transaction that removed something by policy: a line of the audit log."""

    id: int
    at: UtcTime
    object: str
    """What, and how old it was."""
    detail: str
    """How many."""


class RetentionView(Word):
    """Days; null keeps for ever."""

    sessions_days: int | None
    events_days: int | None
    discoveries_days: int | None
    audit_days: int | None
    removed: tuple[Removed, ...]
    """The newest removals; the audit log has all."""
