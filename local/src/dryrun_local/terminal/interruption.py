"""Ctrl-C and its like: the first one ends the work, and whatever comes later cannot break the cleaning up."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Cancels the main task once. `number` is the signal that did it, None while there was none."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._work: asyncio.Task[Any] | None = None
        self.number: signal.Signals | None = None

    def listen(self) -> None:
        """Take the signals; also to be called after somebody else had them."""
        self._work = self._work or asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._interrupted, number)

    def _interrupted(self, number: signal.Signals) -> None:
        if self.number is not None:
            self._say("Still cleaning up; every step of it has a deadline.")
            return
        self.number = number
        assert self._work is not None
        self._work.cancel()

    def note(self, number: signal.Signals) -> None:
        """Count a signal that somebody else took: what follows is cleaning up already."""
        self.number = self.number or number


def run(work: Callable[[Interruption], Coroutine[Any, Any, int]], say: Callable[[str], None]) -> int:
    """Run `work` to its exit code; 128 plus the signal's number when one ended it."""

    async def main() -> int:
        interruption = Interruption(say)
        interruption.listen()
        try:
            code = await work(interruption)
        except asyncio.CancelledError:
            if interruption.number is None:
                raise
            code = 0
        return code if interruption.number is None else 128 + interruption.number

    return asyncio.run(main())
