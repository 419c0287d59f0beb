"""Files that their readers never see half-written."""

import os
from contextlib import suppress
from pathlib import Path

from dryrun_local.machine.errors import NotWrittenError


def write_atomically(path: Path, text: str) -> None:
    """Write a file that readers see in its old or its new state, and that is on the disk afterwards.

    Raises NotWrittenError, e.g. where a folder has the file's name; nothing is left then.
    """
    _write(path, text, 0o666)


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user may read, as `write_atomically` does. Raises NotWrittenError."""
    _write(path, text, 0o600)


def _write(path: Path, text: str, mode: int) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)  # one of a process that was killed, with its mode
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise NotWrittenError(f"{path} cannot be written: {error.strerror or error}") from error
