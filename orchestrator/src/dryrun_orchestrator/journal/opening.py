"""Opens the journal's file: for one process only, of a format that it knows, with every table and column."""

import fcntl
import os
import sqlite3
from pathlib import Path

from dryrun_orchestrator.journal.errors import JournalError
from dryrun_orchestrator.journal.schema import LATER_COLUMNS, SCHEMA, VERSION


def locked(folder: Path) -> int:
    """Return the open lock of the journal in `folder`. Raises JournalError when another process has it."""
    lock = os.open(folder / "journal.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise JournalError(
            f"another orchestrator works with the journal in {folder}; stop it, or give this one "
            "another state folder"
        ) from error
    return lock


def require_known_version(connection: sqlite3.Connection, path: Path) -> None:
    """Raise JournalError for a journal of a format that this version does not know; nothing is changed."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
        return
    row = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    if row is not None and int(row[0]) > VERSION:
        raise JournalError(
            f"{path} is of a newer release (format {row[0]}; this one knows {VERSION}); start that release, "
            "or move the journal away to start a new one, which knows none of its sessions"
        )


def prepare(connection: sqlite3.Connection) -> None:
    """Set how SQLite writes, and create the tables and columns that the file lacks."""
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.executescript(SCHEMA)
    there = {row["name"] for row in connection.execute("PRAGMA table_info(sessions)")}
    for name, kind in LATER_COLUMNS.items():
        if name not in there:
            connection.execute(f"ALTER TABLE sessions ADD COLUMN {name} {kind}")
