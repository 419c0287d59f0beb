"""A moment that a clock set back does not put off."""

import time
from collections.abc import Callable
from datetime import datetime


class Deadline:
    """Passes by wall clock or by monotonic clock, whichever comes first; once nearer, it stays nearer."""

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._monotonic = monotonic
        self._ends_at = float("inf")

    def has_passed(self, moment: datetime) -> bool:
        """Tell whether `moment` has come. To be asked again and again: each look counts."""
        left = (moment - self._now()).total_seconds()
        self._ends_at = min(self._ends_at, self._monotonic() + left)
        return self._monotonic() >= self._ends_at
