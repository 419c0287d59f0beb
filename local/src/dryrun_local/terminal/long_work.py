"""Shows that long work goes on, and how far it is: a spinner on a terminal, plain lines elsewhere."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from rich.console import Console
from rich.text import Text

from dryrun_cli.drawing.quantities import duration

EVERY_SECONDS: Final = 30.0
"""Between two lines where there is no terminal: a log of half an hour stays readable."""
_REDRAW_SECONDS: Final = 0.5


class LongWork:
    """What is being done. Whoever does it sets `now`, from any thread."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.now = ""
        """How far it is, in a few words."""
        self._began_at = time.monotonic()

    def __str__(self) -> str:
        took = duration(time.monotonic() - self._began_at)
        return f"{self.what}: {self.now}, {took}" if self.now else f"{self.what}, {took}"


@contextmanager
def shown(console: Console, what: str) -> Iterator[LongWork]:
    """Show work during the block; without a terminal by a line at once, and then one now and again."""
    work, ended = LongWork(what), threading.Event()
    status = console.status(Text(what)) if console.is_terminal else None

    def tell(line: str) -> None:
        # It may be a cleanup, which a reader who is gone must not end.
        with suppress(OSError, SystemExit):
            if status is None:
                console.print(Text(f"  {line}"), soft_wrap=True)
            else:
                status.update(Text(line))

    def tell_now_and_again() -> None:
        while not ended.wait(EVERY_SECONDS if status is None else _REDRAW_SECONDS):
            tell(str(work))

    if status is not None:
        status.start()
    tell(what)
    teller = threading.Thread(target=tell_now_and_again, daemon=True)
    teller.start()
    try:
        yield work
    finally:
        ended.set()
        teller.join()
        if status is not None:
            status.stop()
