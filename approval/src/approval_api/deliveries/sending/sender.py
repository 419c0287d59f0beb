"""What every kind of destination can do: look up what the destination has, and send one item."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pydantic import JsonValue

from dryrun_contract.delivery import Action


class RefusedError(Exception):
    """The destination, or a rule of ours, refuses this item; sending it again unchanged does not help."""


class BusyError(Exception):
    """The destination is busy; what became of the item is not known. Sending it again may help."""

    def __init__(self, said: str, seconds: float | None = None) -> None:
        """Keep what it `said`, and after how many `seconds` it may be tried again."""
        super().__init__(said)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the outbox, claimed by this process."""

    id: int
    lease: UUID
    message_id: UUID
    state: str
    """`checking` or `waiting`."""
    kind: str
    key: str
    host: str
    action: Action
    content: dict[str, JsonValue]
    attempts: int
    reference: str | None
    is_found_by_another: bool
    """It is gone for its collector, and another one still finds the same."""

    @property
    def is_removal(self) -> bool:
        """Return whether it reports something as gone, whatever action a lookup made of it."""
        return "gone_at" in self.content


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an item, or would."""

    action: Action
    """What was done, or would be: the destination may have it already."""
    answer: str
    """What the destination said, in a few words."""
    reference: str | None = None
    """What the destination calls the object."""


class Sender(Protocol):
    """Speaks with one destination. Raises RefusedError, BusyError, and egress' errors."""

    async def look(self, item: Item) -> Result:
        """Return what sending `item` would do; nothing is changed."""

    async def send(self, item: Item) -> Result:
        """Send `item`. Repeating it has no further effect."""

    async def check(self) -> str:
        """Return what shows that the destination knows the credential; nothing is changed there."""
