"""Whose password is checked next: one at a time, and no crowd of strangers keeps out known people.

Clients that showed something made for them (a browser where they signed in before, a login, an invitation)
wait in one queue, strangers in another; the two take turns. A full queue of strangers gives up the one whose
network failed most often of late, so whoever has not tried yet gets a place from those who guess.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from approval_api.web.bulkhead import busy

WAITING = 16
"""Places in each queue. A check takes a tenth of a second: whoever waits last is served within 4 s."""
_REMEMBERED_SECONDS = 600.0
_MOST_REMEMBERED = 10_000


class RecentFailures:
    """How often a network failed within the last minutes."""

    def __init__(self) -> None:
        """Begin without any."""
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def of(self, network: str) -> int:
        """Return how often a network failed lately."""
        failed, at = self._failures.get(network, (0, 0.0))
        return failed if time.monotonic() - at < _REMEMBERED_SECONDS else 0

    def add(self, network: str) -> None:
        """Count one more failure of a network."""
        self._failures[network] = self.of(network) + 1, time.monotonic()
        self._failures.move_to_end(network)
        if len(self._failures) > _MOST_REMEMBERED:
            self._failures.popitem(last=False)


@dataclass(eq=False, frozen=True, slots=True)
class _Waiting:
    failures: int
    turn: asyncio.Future[None]


class _Queue:
    """Those who failed least first, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []

    def join(self, failures: int) -> _Waiting:
        """Wait here; in a full queue, in the place of one who failed more often. Raises ProblemError: 503."""
        self._drop_who_left()
        if len(self._waiting) >= WAITING:
            last = self._waiting[-1]
            if last.failures <= failures:
                raise busy("the password check")
            self._waiting.remove(last)
            last.turn.set_exception(busy("the password check"))
        waiting = _Waiting(failures, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._waiting.sort(key=lambda each: each.failures)
        return waiting

    def serve(self) -> bool:
        """Give the turn to the first; False when nobody waits."""
        self._drop_who_left()
        if not self._waiting:
            return False
        self._waiting.pop(0).turn.set_result(None)
        return True

    def _drop_who_left(self) -> None:
        # A caller that is cancelled cancels what it waits for, before it runs again.
        self._waiting = [each for each in self._waiting if not each.turn.done()]


class PasswordTurns:
    """Lets one caller work at a time. Not thread-safe: one event loop gives the turns."""

    def __init__(self) -> None:
        """Begin with nobody inside."""
        self._known = _Queue()
        self._strangers = _Queue()
        self._next = [self._known, self._strangers]
        self._taken = False

    @asynccontextmanager
    async def turn(self, *, known: bool, failures: int = 0) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raises ProblemError: 503 `busy` when too many wait already."""
        if self._taken:
            queue = self._known if known else self._strangers
            waiting = queue.join(failures)
            try:
                await waiting.turn
            except asyncio.CancelledError:
                if not waiting.turn.cancelled() and waiting.turn.exception() is None:
                    # The turn was given, and its caller left at the same moment.
                    self._pass_on()
                raise
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        for queue in tuple(self._next):
            if queue.serve():
                self._next.remove(queue)
                self._next.append(queue)
                return
        self._taken = False
