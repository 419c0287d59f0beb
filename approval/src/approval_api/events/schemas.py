"""Stored events as this API's clients read them."""

from dryrun_contract.base import Word
from dryrun_contract.event import Event


class EventList(Word):
    """Events of one session, oldest first."""

    events: tuple[Event, ...]
    next: int | None
    """Value of `after` for the next page; null when there are no more events yet."""
    ended: bool
    """The session has ended: there will be no more events after the last page."""
