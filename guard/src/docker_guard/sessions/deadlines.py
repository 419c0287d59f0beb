"""When each session ends; a deadline only ever moves earlier. Used by the gate and by the keeper's thread."""

import threading
import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nsmallest
from math import inf

from docker_guard.refusal import Refusal
from docker_guard.rules import labels
from docker_guard.rules.policy import Policy

MOST_REMEMBERED = 10_000
"""Most sessions that are remembered when nothing of them is left; those that end first are forgotten first.

A forgotten session could be created anew with a later deadline, as one with another id can at any time.
"""


@dataclass(slots=True)
class _Deadline:
    expires_at: str | None
    moment: datetime | None
    """`expires_at`, parsed."""
    ends_at: float
    """By the monotonic clock, so that setting the clock back prolongs nothing."""


class Deadlines:
    """When each session ends: by wall clock or by monotonic clock, whichever comes first."""

    def __init__(
        self,
        policy: Policy,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._longest = float(policy.session_seconds)
        self.now = now
        self._monotonic = monotonic
        self._known: dict[str, _Deadline] = {}
        self._lock = threading.RLock()
        self._watched: tuple[float, Callable[[], object]] = (-inf, lambda: None)

    def watch(self, until: float, hurry: Callable[[], object]) -> None:
        """Have `hurry` called, in any thread, when a new session ends before `until` (monotonic clock)."""
        with self._lock:
            self._watched = (until, hurry)

    def observe(self, session_id: str, expires_at: str | None, latest: datetime | None = None) -> None:
        """Record a deadline label, and the latest end by a network's age.

        The earliest deadline ever observed stays in force.
        """
        with self._lock:
            known = self._known.get(session_id)
            is_new = known is None
            if known is None:
                moment = labels.parse_moment(expires_at)
                known = _Deadline(expires_at, moment, self._monotonic() + self._longest)
                self._known[session_id] = known
            same = expires_at == known.expires_at
            self._move_earlier(known, known.moment if same else labels.parse_moment(expires_at), latest)
            watched_until, hurry = self._watched
            if is_new and known.ends_at < watched_until:
                hurry()

    def is_over(self, session_id: str) -> bool:
        """Return whether a session's deadline has passed."""
        return self.seconds_left(session_id) <= 0

    def seconds_left(self, session_id: str) -> float:
        """Return the seconds until a session's end; for an unknown session, the longest possible."""
        with self._lock:
            known = self._known.get(session_id)
            if known is None:
                return self._longest
            self._move_earlier(known, known.moment)
            return known.ends_at - self._monotonic()

    def check_unmoved(self, session_id: str, expires_at: str) -> None:
        """Raise Refusal if this session was observed with another deadline before."""
        with self._lock:
            known = self._known.get(session_id)
            if known is not None and (known.expires_at != expires_at or self.is_over(session_id)):
                raise Refusal("deadline", f"session {session_id} already has a deadline; nothing prolongs it")

    def forget(self, keep: Container[str]) -> None:
        """Forget sessions that ended more than the longest session ago, and the excess; except `keep`."""
        with self._lock:
            horizon = self._monotonic() - self._longest
            self._known = {
                key: known for key, known in self._known.items() if known.ends_at > horizon or key in keep
            }
            if (too_many := len(self._known) - MOST_REMEMBERED) > 0:
                gone = ((known.ends_at, key) for key, known in self._known.items() if key not in keep)
                for _, key in nsmallest(too_many, gone):
                    del self._known[key]

    def next_end(self, after: float) -> float:
        """Return the first deadline after a moment, both by the monotonic clock; infinity without one."""
        with self._lock:
            return min((each.ends_at for each in self._known.values() if each.ends_at > after), default=inf)

    def _move_earlier(self, known: _Deadline, *moments: datetime | None) -> None:
        for moment in moments:
            if moment is not None:
                left = (moment - self.now()).total_seconds()
                known.ends_at = min(known.ends_at, self._monotonic() + left)
