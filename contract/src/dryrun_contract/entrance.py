"""Where commands begin: they hear Ctrl-C before anything is imported, which takes most of a short command."""

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module

_INTERRUPTED = 130
"""128 plus the signal's number, as shells count."""


def run_main_of(module: str) -> None:
    """Import a module and call its `main`; Ctrl-C before a command listens to it exits with 130.

    Nothing has begun by then, and Python would print where in its imports it was. Who started this process
    may have it ignore Ctrl-C.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(_INTERRUPTED))
    run: Callable[[], None] = import_module(module).main
    signal.signal(signal.SIGINT, before)
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    finally:
        # All is said. Python takes down what was imported, and would print where a further Ctrl-C met it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
