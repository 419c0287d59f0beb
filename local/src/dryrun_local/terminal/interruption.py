"""Ctrl-C, SIGTERM and SIGHUP: the first one cancels the work, later ones cannot interrupt the cleanup."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SignalledError(asyncio.CancelledError):
    """A signal ended a block of `interruptible`."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number
        super().__init__()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let a signal end this block, which computes for long and never waits: it raises SignalledError there.

    Nothing in it may need a cleanup that a second signal must not interrupt. In other threads than the main
    one, which signals do not reach, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: FrameType | None) -> None:
        raise SignalledError(signal.Signals(number))

    before = {number: signal.signal(number, end) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interruption:
    """Cancels the main task at the first signal. `number` is that signal, None until then."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._work: asyncio.Task[Any] | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._has_begun_to_end = False
        self.number: signal.Signals | None = None

    def listen(self) -> None:
        """Handle the signals in this process. Call it again after another component handled them."""
        self._work = self._work or asyncio.current_task()
        loop = asyncio.get_running_loop()

        def hear(number: int, _: FrameType | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._interrupted, signal.Signals(number))

        # Not the loop's handlers: it gives signals their default back while it closes.
        before = {number: signal.signal(number, hear) for number in SIGNALS}
        self._before = self._before or before

    def leave(self) -> None:
        """Leave the signals as they were; once one has come, none changes any more how the process ends.

        The interpreter gives signals their default back, too, before it takes down what was imported.
        """
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if self._has_begun_to_end else handler)

    def _interrupted(self, number: signal.Signals) -> None:
        if self.number is not None:
            self._report("Still cleaning up; every step has a deadline.")
            return
        self.note(number)
        assert self._work is not None
        self._work.cancel()

    def note(self, number: signal.Signals) -> None:
        """Record a signal that another component handled: cleanup has begun."""
        self._has_begun_to_end = True
        self.number = self.number or number


def run(
    work: Callable[[Interruption], Coroutine[Any, Any, int | None]], report: Callable[[str], None]
) -> int:
    """Return the exit code of `work`, or 128 plus the signal's number when a signal ended it.

    Work that returns None has done what was asked for.
    """
    interruption = Interruption(report)

    async def main() -> int:
        interruption.listen()
        try:
            code = await work(interruption) or 0
        except SignalledError as error:
            interruption.note(error.number)
            return 128 + error.number
        except asyncio.CancelledError:
            if interruption.number is None:
                raise
            code = 0
        return code if interruption.number is None else 128 + interruption.number

    try:
        return asyncio.run(main())
    finally:
        interruption.leave()
