"""What SQLite's errors mean, and what to do about each: moving the journal away abandons its sessions."""

import sqlite3
from pathlib import Path
from typing import Final

_PRIMARY: Final = 0xFF
"""The bits of a result code that name its kind; the rest says where it arose (sqlite.org/rescode.html)."""


class JournalError(Exception):
    """The journal cannot be used; the message says why and what to do."""


def advice(error: Exception, folder: Path) -> str:
    """Return what to do about an error of the journal in `folder`."""
    if isinstance(error, sqlite3.Error):
        # Only what SQLite itself reports has a code.
        kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
        if kind in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            return "move it away to start a new journal, which knows none of its sessions"
        if kind == sqlite3.SQLITE_FULL:
            return f"free space in {folder}"
    return f"see that {folder} has space, and that this service may write in it"
