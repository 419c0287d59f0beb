"""The faults of inventories: all of a file are found before it is refused, and each names its place."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from dryrun_contract.problem import Fault
from dryrun_contract.text import printable

MAX_FAULTS = 100
"""Kept of all files together; more are counted."""
SHOWN_FAULTS = 20


class InventoryError(Exception):
    """The inventory is refused as a whole; `faults` holds the first of them and `total` counts all."""

    def __init__(self, faults: Sequence[Fault], total: int | None = None) -> None:
        self.faults = tuple(faults)
        self.total = len(self.faults) if total is None else total
        shown = [f"{fault.where}: {fault.what}" for fault in self.faults[:SHOWN_FAULTS]]
        rest = self.total - len(shown)
        if rest:
            shown.append(f"and {rest:,} more")
        count = f"{self.total:,} problem{'' if self.total == 1 else 's'}"
        super().__init__("\n  ".join([f"the inventory has {count}; nothing was imported", *shown]))


class TooLargeError(Exception):
    """A file goes beyond a bound, and reading it stops; the message names the bound."""


@dataclass(slots=True)
class FaultList:
    """Collects the faults of all files of an inventory."""

    _kept: list[Fault] = field(default_factory=list)
    total: int = 0

    def add(self, where: str, what: str) -> None:
        """Record a fault; both texts may hold anything."""
        self.total += 1
        if len(self._kept) < MAX_FAULTS:
            self._kept.append(Fault(where=printable(where), what=printable(what, limit=500)))

    def raise_any(self) -> None:
        """Raise InventoryError if there is any fault."""
        if self.total:
            raise InventoryError(self._kept, self.total)


def quoted(value: object) -> str:
    """Return a value of the file for a message."""
    return f"'{printable(str(value)[:200], limit=60)}'"
