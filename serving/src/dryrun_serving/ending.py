"""SIGTERM and SIGINT ask a service to end; once it was asked, no other one changes how it ends."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def hear_signals(stop: Callable[[], object]) -> None:
    """Call `stop` in the running loop for each signal, also while that loop closes.

    A loop's own handlers give signals their default back before that: the process would die of a second one.
    """
    loop = asyncio.get_running_loop()

    def hear(_number: int, _frame: FrameType | None) -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(stop)

    for number in SIGNALS:
        signal.signal(number, hear)


@contextmanager
def last_of_process() -> Iterator[None]:
    """Ignore signals after this block, the last thing that a process does.

    The interpreter gives them their default back before it takes down what was imported, which takes tenths
    of a second.
    """
    try:
        yield
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
