"""A deadline that setting the clock back does not delay."""

import time
from collections.abc import Callable
from datetime import datetime

from dryrun_orchestrator.clock import utc_now


class Deadline:
    """Passes by wall clock or by monotonic clock, whichever is first, and never moves away."""

    def __init__(
        self, now: Callable[[], datetime] = utc_now, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._monotonic = monotonic
        self._ends_at = float("inf")

    def has_passed(self, moment: datetime) -> bool:
        """Return whether `moment` has passed. Call it regularly: each call compares both clocks."""
        left = (moment - self._now()).total_seconds()
        self._ends_at = min(self._ends_at, self._monotonic() + left)
        return self._monotonic() >= self._ends_at
