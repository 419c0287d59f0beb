"""Says which sessions hold the places that another one waits for, and how one becomes free."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dryrun_contract.session import Phase
from dryrun_contract.text import printable

WAITING_REASON = "waiting for a free place; it starts automatically"

_STANDING = ("kept", "waiting", "scanning", "provisioning")
"""Phases in which a session can be stopped; first those in which it stays until somebody does."""
_NAMED = 3


@dataclass(frozen=True, slots=True)
class HeldPlace:
    """A session that stands on the engine."""

    id: UUID
    phase: str
    requested_by: str
    expires_at: datetime | None
    """Its deadline, once its network was made."""

    @property
    def state(self) -> str:
        """What it does, until when at the latest, and for whom."""
        what = self.phase.replace("_", " ")
        until = f" until {self.expires_at:%H:%M} UTC" if self.expires_at and self.phase == Phase.KEPT else ""
        return f"{what}{until}, by {printable(self.requested_by, limit=40)}"


HOLDING = (*_STANDING, "cleaning_up")
"""Phases in which a session holds a place of the orchestrator."""


def kept_first(held: Iterable[HeldPlace]) -> list[HeldPlace]:
    """Return the places, those first whose session stays until somebody stops it."""
    return sorted(held, key=lambda place: (HOLDING.index(place.phase), str(place.id)))


def named_first(held: Iterable[HeldPlace], person: str) -> tuple[list[HeldPlace], int]:
    """Return the places to name to `person`, who waits, and how many more there are.

    Their own come first: they may have as many as one person may.
    """
    ordered = sorted(held, key=lambda place: place.requested_by != person)
    return ordered[:_NAMED], max(0, len(ordered) - _NAMED)


def waiting_reason(held: Sequence[HeldPlace], person: str, position: int | None = None) -> str:
    """Return what a session of `person` waits for, in words: until one of `held`, at least one, ends.

    `position`: where it stands in the queue. The place that becomes free goes to the first.
    """
    named, more = named_first(held, person)
    listed = [f"{str(place.id)[:8]} ({place.state})" for place in named]
    if more:
        listed.append(f"{more} more")
    places = f"{', '.join(listed[:-1])} and {listed[-1]}" if len(listed) > 1 else listed[0]
    hold = "holds the place" if len(held) == 1 else "hold the places"
    stoppable = next((place for place in named if place.phase in _STANDING), None)
    how = f"; to free one: dryrun stop {str(stoppable.id)[:8]}" if stoppable else ""
    queue = f" as number {position} in the queue" if position and position > 1 else ""
    return f"waiting for a free place{queue}; {places} {hold}{how}"
