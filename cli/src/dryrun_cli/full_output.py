"""Ends a program whose output goes to a disk that is full."""

import errno
import os
import sys
from typing import NoReturn

import typer

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Of standard output alone: commands report those of files themselves."""


def end_without_output(error: OSError, code: int) -> NoReturn:
    """Say that the output cannot be written, and exit with `code`."""
    # What is left in the buffer would be tried, and reported, once more at the end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    typer.echo(f"error: the output cannot be written: {error.strerror}", err=True)
    sys.exit(code)
