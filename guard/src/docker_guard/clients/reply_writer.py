"""Writes answers to one connection, at its client's pace within time limits."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Any

import aiohttp

from docker_guard.audit.audit_log import AuditLog
from docker_guard.leaving import Leaving
from docker_guard.refusal import EngineDownError, shown
from docker_guard.rules.policy import Policy
from docker_guard.sessions.answers import Answer

PIECE_BYTES = 64 * 1024
FAULTS = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)
"""Raised by faults of the guard, and by engine answers in an unknown form."""
_LINGER_SECONDS = 1.0
_LOOK_SECONDS = 2.0
"""How often a client that has a long-lived answer is looked for, where its leaving shows in nothing else."""
_LINGER_BYTES = 256 * 1024
_LEAST_RATE = 256 * 1024
"""Bytes a second at which a client must read a long-lived answer while there is more of it."""
_BODILESS = frozenset({204, 304})


class ReplyWriter:
    """Writes to one connection. Raises TimeoutError when its client leaves too much unread for too long."""

    def __init__(self, writer: asyncio.StreamWriter, policy: Policy, record: AuditLog) -> None:
        self._writer = writer
        self._stalled_seconds = policy.stalled_seconds
        self._behind_seconds = policy.behind_seconds
        self._body_bytes, self._body_seconds = policy.body_bytes, policy.body_seconds
        self._record = record

    async def write(self, answer: Answer, *, head_only: bool, keep_alive: bool) -> None:
        """Write a complete answer."""
        headers = [*answer.headers]
        if answer.status not in _BODILESS:
            headers += [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        if not keep_alive:
            headers.append(("Connection", "close"))
        self._writer.write(_head(answer.status, headers) + (b"" if head_only else answer.body))
        await self._drain()

    async def stream(self, answer: Answer, left: Leaving) -> bool:
        """Write a body of unknown length. Returns whether it was completed.

        A source that fails breaks the connection without the final chunk. So does a client that reads too
        slowly: the engine buffers what it has not read, beyond all ceilings.
        """
        assert answer.pieces is not None
        assert answer.exits is not None
        headers = [("Content-Type", answer.content_type), ("Transfer-Encoding", "chunked")]
        async with answer.exits:
            self._writer.write(_head(answer.status, headers))
            await self._drain()
            pump = asyncio.create_task(self._pump(answer.pieces))
            ends: set[asyncio.Future[Any]] = {pump, left.noticed}
            try:
                while not (pump.done() or left.has_happened()):
                    await asyncio.wait(ends, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                return pump.done() and pump.result()
            finally:
                pump.cancel()
                await asyncio.gather(pump, return_exceptions=True)

    async def switch(self, answer: Answer, reader: asyncio.StreamReader, objects: Sequence[str]) -> None:
        """Pass on what the client sends, until it ends; within the bounds of a body, whose bytes it replaces.

        Nothing comes back. What breaks off has been delivered in part, and is for the receiver to notice.
        The audit log records how much went to `objects`.
        """
        assert answer.sink is not None
        assert answer.exits is not None
        async with answer.exits:
            self._writer.write(_head(101, [("Connection", "Upgrade"), ("Upgrade", "tcp")]))
            passed = 0
            try:
                async with asyncio.timeout(self._body_seconds):
                    await self._writer.drain()
                    while piece := await reader.read(PIECE_BYTES):
                        passed += len(piece)
                        if passed > self._body_bytes:
                            reason = f"more than {self._body_bytes} bytes"
                            self._record.line("input-broken", reason=reason, objects=[*objects])
                            return
                        answer.sink.write(piece)
                        await answer.sink.drain()
                    answer.sink.close()
                    await answer.sink.wait_closed()
                self._record.line("input", bytes=passed, objects=[*objects])
            except OSError as error:  # TimeoutError is one
                reason = f"{type(error).__name__} after {passed} bytes"
                self._record.line("input-broken", reason=reason, objects=[*objects])

    async def part(self, reader: asyncio.StreamReader) -> None:
        """Deliver the last answer: send all of it, then discard for a moment what still arrives."""
        if self._writer.transport.is_closing():
            return
        self._leave_nothing_unsent()
        await self._drain()
        if not self._writer.can_write_eof():  # TLS ends with a closing alert, which the client answers
            self._writer.close()
            async with asyncio.timeout(self._stalled_seconds):
                await self._writer.wait_closed()
            return
        self._writer.write_eof()
        dropped = 0
        async with asyncio.timeout(_LINGER_SECONDS):
            while not reader.at_eof() and dropped < _LINGER_BYTES:
                dropped += len(await reader.read(PIECE_BYTES))

    async def _pump(self, pieces: AsyncIterator[bytes]) -> bool:
        # With an empty transport buffer, the client has read all that is not in the kernel's buffer.
        self._leave_nothing_unsent()
        allowed = self._behind_seconds
        try:
            async for piece in pieces:
                self._writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                begun = time.monotonic()
                async with asyncio.timeout(allowed):
                    await self._writer.drain()
                waited = time.monotonic() - begun
                allowed = min(allowed - waited + len(piece) / _LEAST_RATE, self._behind_seconds)
        except (aiohttp.ClientError, OSError, EngineDownError, *FAULTS) as error:
            self._record.line("stream-broken", reason=f"{type(error).__name__}: {shown(error)}")
            self._writer.transport.abort()
            return False
        self._writer.write(b"0\r\n\r\n")
        await self._drain()
        self._writer.transport.set_write_buffer_limits()
        return True

    def _leave_nothing_unsent(self) -> None:
        """Have `drain` wait until the transport's buffer is empty.

        A plain socket's buffer counts as full above its limit, that of TLS at its limit: with a limit of 0 an
        empty TLS buffer would count as full, in asyncio and uvloop alike, and never drain.
        """
        self._writer.transport.set_write_buffer_limits(high=0 if self._writer.can_write_eof() else 1)

    async def _drain(self) -> None:
        async with asyncio.timeout(self._stalled_seconds):
            await self._writer.drain()


def _head(status: int, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "Server: docker-guard"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
