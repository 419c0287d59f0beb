"""Stored events as this API's clients read them."""

from dryrun_contract.base import Word
from dryrun_contract.event import Event


class EventList(Word):
    """Events of one session, oldest first."""

    events: tuple[Event, ...]
    next: int | None
    """Ask with `after=` this for more; null when this was all there is by now."""
    ended: bool
    """The session has ended: after the last page nothing more will come."""
