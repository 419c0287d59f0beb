"""Measures things in turn, so that a busy minute meets all of them, and keeps to the time that a part has."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

LEAST_ROUNDS = 3
"""Fewer measurements have no interval."""


def say_nothing(_: str) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Setting:
    """How a part is to be run. `say` shows progress."""

    long: bool = False
    say: Callable[[str], None] = field(default=say_nothing)
    seconds: float = float("inf")
    """What the part may take: rounds beyond the third begin only before that."""
    most: int | None = None
    """How many rounds at most, for a quick look."""
    begun: float = field(default_factory=time.monotonic)

    def rounds(self, usual: int, *, long: int) -> int:
        """Return how often to measure."""
        return min(long if self.long else usual, self.most or long)

    def amount(self, usual: int, *, long: int) -> int:
        """Return how much to measure: rows, seconds, requests."""
        return long if self.long else usual

    def share(self, of_seconds: float, say: str = "") -> "Setting":
        """Return the setting of a piece of the part: what it says begins with `say`, its time begins now."""
        first = f"{say}, " if say else ""
        return Setting(
            self.long, lambda text: self.say(f"{first}{text}"), self.seconds * of_seconds, self.most
        )

    @property
    def is_over(self) -> bool:
        """Whether its time is up."""
        return time.monotonic() - self.begun > self.seconds


async def in_turn[T](
    contestants: Mapping[str, Callable[[], Awaitable[T]]],
    rounds: int,
    setting: Setting,
    *,
    warm_up: bool = False,
) -> dict[str, list[T]]:
    """Return what each contestant returned in each round, in the order of the rounds.

    Every other round goes backwards: nobody profits from the order. A round to warm up is not counted.
    """
    measured: dict[str, list[T]] = {name: [] for name in contestants}
    for number in range(0 if warm_up else 1, rounds + 1):
        if number > LEAST_ROUNDS and setting.is_over:
            setting.say(f"no time for more than {number - 1} rounds of {rounds}")
            break
        for name in list(contestants)[:: 1 if number % 2 else -1]:
            setting.say(f"round {number} of {rounds}: {name}" if number else f"to warm up: {name}")
            value = await contestants[name]()
            if number:
                measured[name].append(value)
    return measured
