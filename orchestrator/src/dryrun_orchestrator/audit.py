"""Records every command as one line of an append-only file: asserted caller, command, outcome."""

import asyncio
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path


class AuditLog:
    """Appends JSON lines; a line is on disk when `write` returns."""

    def __init__(self, path: Path) -> None:
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
        """Append one line. `actor` is the name the caller asserted, None for a caller without the token."""
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
        os.write(self._file, line)
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
