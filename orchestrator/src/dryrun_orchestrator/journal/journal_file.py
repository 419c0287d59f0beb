"""The journal's file: one thread does all the work in it, and what its disk refuses is known.

`work` is a function that runs in that thread, on `connection`.
"""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from dryrun_orchestrator.journal.errors import (
    JournalReadError,
    JournalWriteError,
    advice,
    is_of_storage,
)
from dryrun_orchestrator.storage import ROOM_BYTES, NotStoredError


class JournalFile:
    """An open file, with the lock that keeps other processes out."""

    def __init__(self, connection: sqlite3.Connection, lock: int, path: Path) -> None:
        self.connection = connection
        self._lock = lock
        self._path = path
        self._folder = path.parent
        self._opened = _identity(path)
        self._fault: str | None = None
        # SQLite blocks, and transactions must not interleave: one thread does all the work, in order.
        self._thread = ThreadPoolExecutor(1, "journal")

    async def close(self) -> None:
        """Finish pending writes and release the lock."""
        await self.do(self.connection.close)
        self._thread.shutdown()
        os.close(self._lock)

    async def fault(self) -> str | None:
        """Return why changes cannot be stored; None when they can.

        The last change decides. If that failed, or the disk is nearly full, some bytes are stored and
        removed again to find out. A file that was removed or replaced is a fault too: what is written to it
        is lost with the process.
        """

        def fill() -> None:
            self.connection.execute("INSERT OR REPLACE INTO meta VALUES ('room', ?)", ("x" * ROOM_BYTES,))

        def empty() -> None:
            self.connection.execute("DELETE FROM meta WHERE key = 'room'")

        try:
            is_tight = shutil.disk_usage(self._folder).free < ROOM_BYTES
            is_another = _identity(self._path) != self._opened
        except OSError as error:
            return str(NotStoredError.because("the journal", error, self._folder))
        if is_another:
            return f"{self._path} was replaced; restart this service, which works with the one before"
        if self._fault is not None or is_tight:
            with suppress(JournalWriteError):
                await self.transaction(fill)
                await self.transaction(empty)
        return self._fault

    async def do[T](
        self, work: Callable[[], T], kind: type[NotStoredError] = JournalReadError, done: str = "read"
    ) -> T:
        """Do work in the journal's thread. Raises an error of `kind` where the file or its disk failed."""

        def judged() -> T:
            try:
                return work()
            except sqlite3.Error as error:
                if not is_of_storage(error):
                    raise
                self._fault = f"the journal cannot be {done}: {error}; {advice(error, self._folder)}"
                raise kind(self._fault) from error

        # Shielded: the transaction of a cancelled caller still runs to its end.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, judged))

    async def transaction[T](self, work: Callable[[], T]) -> T:
        """Do work in one transaction. Raises JournalWriteError when SQLite could not store it."""

        def transaction() -> T:
            before = self.connection.total_changes
            self._roll_back()
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                result = work()
                self.connection.execute("COMMIT")
            except BaseException:
                # Where it fails, the error before it says why, and the next transaction begins with it.
                with suppress(sqlite3.Error):
                    self._roll_back()
                raise
            if self.connection.total_changes != before:
                self._fault = None
            return result

        return await self.do(transaction, JournalWriteError, "written")

    async def rows(self, query: str, *values: str) -> list[sqlite3.Row]:
        """Return the rows of a query. Raises JournalReadError."""
        return await self.do(lambda: self.connection.execute(query, values).fetchall())

    def _roll_back(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")


def _identity(path: Path) -> tuple[int, int]:
    """Return which file this is, whatever its name. Raises OSError."""
    found = path.stat()
    return found.st_dev, found.st_ino
