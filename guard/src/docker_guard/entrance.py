"""Where `docker-guard` begins: it hears Ctrl-C before anything is imported.

The guard stands alone, so that this is written here once more.
"""

import os
import signal
import sys

_INTERRUPTED = 130
"""128 plus the signal's number, as shells count."""


def main() -> int:
    """Run `docker-guard`; Ctrl-C before a command listens to it exits with 130, without a traceback."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(_INTERRUPTED))
    from docker_guard.main import main as run

    signal.signal(signal.SIGINT, before)
    try:
        return run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
