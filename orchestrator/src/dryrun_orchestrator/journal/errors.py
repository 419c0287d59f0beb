"""What SQLite's errors mean, and what to do about each: moving the journal away abandons its sessions."""

import sqlite3
from pathlib import Path
from typing import Final

from dryrun_orchestrator.storage import NotStoredError

_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_OF_STORAGE: Final = _DAMAGED | {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


class JournalError(Exception):
    """The journal cannot be used; the message says why and what to do."""


class JournalWriteError(NotStoredError):
    """A change of the journal was not stored, and nothing of it."""


class JournalReadError(NotStoredError):
    """The journal could not be read, so nothing is known of what is stored. May heal."""


def advice(error: BaseException, folder: Path) -> str:
    """Return what to do about an error of the journal in `folder`."""
    kind = _kind(error)
    if kind in _DAMAGED:
        return "move it away to start a new journal, which knows none of its sessions"
    if kind == sqlite3.SQLITE_BUSY:
        return f"end the other program that works with the journal in {folder}"
    if kind == sqlite3.SQLITE_FULL:
        return f"free space in {folder}"
    return f"see that {folder} has space, and that this service may write in it"


def is_of_storage(error: BaseException) -> bool:
    """Return whether an error is one of the file or its disk, and not of what was to be written."""
    return _kind(error) in _OF_STORAGE


def _kind(error: BaseException) -> int | None:
    """Return the kind of an error that SQLite reported (sqlite.org/rescode.html), without where it arose."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None
