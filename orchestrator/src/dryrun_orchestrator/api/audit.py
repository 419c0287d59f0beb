"""Records every command as one line of an append-only file: asserted caller, command, outcome.

No session begins unless there is room for the line of its command. A stop and a refusal never wait for room:
their lines, like any that cannot be written, wait here until the disk takes them. Refusals of one caller
beyond a rate have no line of their own: the caller's next line says how many there were before it.
"""

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock

from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.storage import ROOM_BYTES, NotStoredError, reserve
from dryrun_serving.rate_limit import RateLimit

log = logging.getLogger(__name__)

REFUSALS_AT_ONCE, REFUSALS_PER_SECOND = 200, 1 / 6
"""Refusals of one caller that have a line each: these at once, and ten a minute for ever."""
MOST_CALLERS_COUNTED = 1_000
"""Callers whose refusals are counted until their next line; those of any more have a line each."""
MOST_WAITING_BYTES = 1024 * 1024
"""Lines that wait to be written; those beyond it are in the service's log only."""


class AuditLog:
    """Appends JSON lines; a line is on disk when `write` returns, or waits and is in the service's log.

    The file is opened for each line: one that was moved or removed begins anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = Lock()
        self._waiting = b""
        self._refusals = RateLimit(REFUSALS_PER_SECOND, REFUSALS_AT_ONCE)
        self._counted: dict[str, int] = {}

    async def require_room(self) -> None:
        """Reserve room for the lines of commands under way, as a rule. Raises NotStoredError."""
        await asyncio.to_thread(self._append, b"", ROOM_BYTES)

    async def fault(self) -> str | None:
        """Return why a command could not be recorded now; None when it could."""
        try:
            await self.require_room()
        except NotStoredError as error:
            return str(error)
        return None

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
        """Append one line. `actor` is the name the caller asserted; None without one or the token.

        A refusal of a caller who has had too many is counted instead.
        """
        counted = {} if actor is None else self._count(actor, refused=outcome == "refused")
        if counted is None:
            return
        line = json.dumps(
            {
                "at": utc_now().isoformat(timespec="milliseconds"),
                "actor": actor,
                "command": command,
                "arguments": dict(arguments or {}),
                "request_id": request_id,
                "outcome": outcome,
                "reason": reason,
                **counted,
            },
            ensure_ascii=True,
        )
        try:
            await asyncio.to_thread(self._append, f"{line}\n".encode())
        except NotStoredError as error:
            log.error("%s; until then this line is only here: %s", error, line)  # noqa: TRY400 - expected

    def _count(self, actor: str, *, refused: bool) -> dict[str, int] | None:
        """Return what the line of a caller says of refusals before it; None when it is one more of them."""
        has_room = actor in self._counted or len(self._counted) < MOST_CALLERS_COUNTED
        if refused and has_room and self._refusals.wait(actor):
            self._counted[actor] = self._counted.get(actor, 0) + 1
            return None
        before = self._counted.pop(actor, 0)
        return {"refused_before": before} if before else {}

    def _append(self, line: bytes, room: int = 0) -> None:
        """Write what waits and a line, then reserve room after it. Raises NotStoredError; the line waits."""
        with self._turn:
            if len(self._waiting) + len(line) <= MOST_WAITING_BYTES:
                self._waiting, line = self._waiting + line, b""
            try:
                file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
                try:
                    if self._waiting + line:
                        _write_whole(file, self._waiting + line)
                    self._waiting = b""
                    reserve(file, room)
                finally:
                    os.close(file)
            except OSError as error:
                raise NotStoredError.because("the audit log", error, self._path.parent) from error


def _write_whole(file: int, lines: bytes) -> None:
    """Append lines, or nothing. Raises OSError."""
    length = os.fstat(file).st_size
    # A process that was killed, or a disk that failed, may have left a part of a line.
    if length and os.pread(file, 1, length - 1) != b"\n":
        lines = b"\n" + lines
    try:
        # A disk that is nearly full takes a part of a line, and says so by its length only.
        while lines:
            lines = lines[os.write(file, lines) :]
        os.fsync(file)
    except OSError:
        with suppress(OSError):  # what is left of it then ends where the next line begins
            os.ftruncate(file, length)
        raise
