"""Files that their readers never see half-written."""

import os
from contextlib import suppress
from pathlib import Path

from dryrun_local.machine.errors import NotWrittenError


def write_atomically(path: Path, text: str) -> None:
    """Write a file that readers see in its old or its new state, and that is on the disk afterwards.

    Raises NotWrittenError, e.g. where a folder has the file's name; nothing is left then.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise NotWrittenError(f"{path} cannot be written: {error.strerror or error}") from error


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user may read, atomically."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
