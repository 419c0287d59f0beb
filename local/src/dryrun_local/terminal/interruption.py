"""Ctrl-C, SIGTERM and SIGHUP: the first one cancels the work, later ones cannot interrupt the cleanup."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Cancels the main task at the first signal. `number` is that signal, None until then."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._work: asyncio.Task[Any] | None = None
        self.number: signal.Signals | None = None

    def listen(self) -> None:
        """Handle the signals in this process. Call it again after another component handled them."""
        self._work = self._work or asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._interrupted, number)

    def _interrupted(self, number: signal.Signals) -> None:
        if self.number is not None:
            self._report("Still cleaning up; every step has a deadline.")
            return
        self.number = number
        assert self._work is not None
        self._work.cancel()

    def note(self, number: signal.Signals) -> None:
        """Record a signal that another component handled: cleanup has begun."""
        self.number = self.number or number


def run(work: Callable[[Interruption], Coroutine[Any, Any, int]], report: Callable[[str], None]) -> int:
    """Return the exit code of `work`, or 128 plus the signal's number when a signal ended it."""

    async def main() -> int:
        interruption = Interruption(report)
        interruption.listen()
        try:
            code = await work(interruption)
        except asyncio.CancelledError:
            if interruption.number is None:
                raise
            code = 0
        return code if interruption.number is None else 128 + interruption.number

    return asyncio.run(main())
