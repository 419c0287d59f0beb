"""Records every command as one line of an append-only file: asserted caller, command, outcome."""

import asyncio
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from dryrun_orchestrator.storage import NotStoredError


class AuditLog:
    """Appends JSON lines; a line is on disk when `write` returns."""

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        self._turn = Lock()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    async def write(
        self,
        *,
        actor: str | None,
        command: str,
        request_id: str,
        outcome: str,
        reason: str | None = None,
        arguments: Mapping[str, object] | None = None,
    ) -> None:
        """Append one line. `actor` is the name the caller asserted, None for a caller without the token.

        Raises NotStoredError, with nothing of the line in the file.
        """
        line = json.dumps(
            {
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "actor": actor,
                "command": command,
                "arguments": dict(arguments or {}),
                "request_id": request_id,
                "outcome": outcome,
                "reason": reason,
            },
            ensure_ascii=True,
        )
        await asyncio.to_thread(self._append, f"{line}\n".encode())

    def _append(self, line: bytes) -> None:
        with self._turn:
            length = os.fstat(self._file).st_size
            try:
                # A disk that is nearly full takes a part of a line, and says so by its length only.
                while line:
                    line = line[os.write(self._file, line) :]
                os.fsync(self._file)
            except OSError as error:
                os.ftruncate(self._file, length)
                raise NotStoredError.because("the audit log", error, self._folder) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
