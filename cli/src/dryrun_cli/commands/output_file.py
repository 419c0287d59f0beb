"""The file of `--output`: whole, or as it was."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from dryrun_cli.errors import WrongUseError

STANDARD_OUTPUT: Final = Path("-")


def write_output(path: Path | None, content: bytes) -> None:
    """Write a file atomically, or standard output for None and `-`. Raises WrongUseError."""
    if path is None or path == STANDARD_OUTPUT:
        sys.stdout.buffer.write(content)
        return
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)  # a device or a pipe is never replaced
        else:
            _replace(path.resolve(), content)
    except OSError as error:
        raise WrongUseError(f"--output: cannot write {path}: {error.strerror or error}") from error


def _replace(path: Path, content: bytes) -> None:
    """Write a file atomically: a reader sees the old one or the new one."""
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            # A temporary file is private to its owner; a report gets the mode of any new file.
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)
            file.close()
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
