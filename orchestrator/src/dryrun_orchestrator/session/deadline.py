"""A deadline that setting the clock back does not delay."""

import math
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from dryrun_orchestrator.clock import utc_now


class Deadline:
    """A session's end, by wall clock or by monotonic clock, whichever is first; it never moves away.

    A session has one in each process. A new process cannot know what was done to the clock before it began,
    but that no session has longer left than `longest`.
    """

    def __init__(
        self,
        longest: timedelta,
        now: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._longest = longest
        self._now = now
        self._monotonic = monotonic
        self._ends_at = math.inf

    def left(self, expires_at: datetime) -> timedelta:
        """Return the time left, negative once it is over. Call it often: each call compares both clocks."""
        left = min(expires_at - self._now(), self._longest)
        self._ends_at = min(self._ends_at, self._monotonic() + left.total_seconds())
        return timedelta(seconds=self._ends_at - self._monotonic())
