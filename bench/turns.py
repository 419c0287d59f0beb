"""Measures things in turn, so that a busy minute meets all of them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field


def say_nothing(_: str) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Setting:
    """How a part is to be run. `say` shows progress."""

    long: bool = False
    say: Callable[[str], None] = field(default=say_nothing)

    def rounds(self, usual: int, *, long: int) -> int:
        """Return how often to measure."""
        return long if self.long else usual


async def in_turn[T](
    contestants: Mapping[str, Callable[[], Awaitable[T]]],
    rounds: int,
    say: Callable[[str], None] = say_nothing,
    *,
    warm_up: bool = False,
) -> dict[str, list[T]]:
    """Return what each contestant returned in each round, in the order of the rounds.

    Every other round goes backwards: nobody profits from the order. A round to warm up is not counted.
    """
    measured: dict[str, list[T]] = {name: [] for name in contestants}
    for number in range(0 if warm_up else 1, rounds + 1):
        for name in list(contestants)[:: 1 if number % 2 else -1]:
            say(f"round {number} of {rounds}: {name}" if number else f"to warm up: {name}")
            value = await contestants[name]()
            if number:
                measured[name].append(value)
    return measured
