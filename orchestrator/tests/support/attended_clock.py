"""A clock for limits of tenths of a second."""

import asyncio
import time

STEP_SECONDS = 0.005


class AttendedClock:
    """Stands in for the module `time`, and counts a moment only once everybody had a turn in the event loop.

    Where the machine is busy with something else for half a second, nobody was silent for so long: whoever
    would have answered had no turn either. So it is slower than the clock on the wall, and never faster.
    """

    def __init__(self) -> None:
        self._now = time.monotonic()

    def monotonic(self) -> float:
        return self._now

    async def run(self) -> None:
        """Count, until cancelled."""
        while True:
            await asyncio.sleep(STEP_SECONDS)
            self._now += STEP_SECONDS
