"""Standard output that cannot take what is written: a terminal without a character, or a full disk."""

import errno
import os
import sys
from typing import NoReturn

import typer

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Errors of a full standard output; commands report those of files themselves."""


def escape_what_is_lacking() -> None:
    """Write a character that the terminal's encoding lacks as an escape, instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def end_without_output(error: OSError, code: int) -> NoReturn:
    """Say that the output cannot be written, and exit with `code`."""
    # What is left in the buffer would be tried, and reported, once more at the end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    typer.echo(f"error: the output cannot be written: {error.strerror}", err=True)
    sys.exit(code)
