"""Where clients connect: reads one request at a time within limits, and writes what was decided."""

import asyncio
import json
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import aiohttp

from docker_guard import evidence, request_head
from docker_guard.answers import Answer
from docker_guard.evidence import Evidence
from docker_guard.gate import Gate
from docker_guard.peers import Crowd, Peer, peer_of
from docker_guard.policy import Policy
from docker_guard.refusal import EngineDownError, Refusal, shown
from docker_guard.request_head import RequestHead, parse_head
from docker_guard.routes import Route, find_route, judge_request

_PIECE_BYTES = 64 * 1024
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 256 * 1024
_FAREWELL_SECONDS = 5.0
_BODILESS = frozenset({204, 304})
_FAULTS = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)
"""What comes of our own mistakes, and of answers that no engine gives."""


class _Connection(asyncio.StreamReaderProtocol):
    """A connection that says when its client has gone, while an answer without end is written."""

    def __init__(self, door: "FrontDoor") -> None:
        reader = asyncio.StreamReader(limit=request_head.MAX_BYTES)
        super().__init__(reader, self._begin)
        self._door = door
        self.gone = asyncio.Event()

    async def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._door.converse(reader, writer, self.gone)

    def eof_received(self) -> bool | None:
        self.gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        super().connection_lost(exc)


class FrontDoor:
    """Serves connections of any number of listeners."""

    def __init__(self, gate: Gate, policy: Policy, record: Evidence) -> None:
        self._gate = gate
        self._policy = policy
        self._record = record
        self._crowd = Crowd(policy)
        self._conversations: set[asyncio.Task[Any]] = set()
        self._idle: set[asyncio.Task[Any]] = set()

    def connection(self) -> asyncio.StreamReaderProtocol:
        """Make the protocol of a new connection, for `loop.create_server`."""
        return _Connection(self)

    async def say_goodbye(self) -> None:
        """Let requests that are under way end within some seconds, then break every connection."""
        for task in list(self._idle):
            task.cancel()
        if busy := self._conversations - self._idle:
            await asyncio.wait(busy, timeout=_FAREWELL_SECONDS)
        for task in list(self._conversations):
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    async def converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event
    ) -> None:
        """Answer one request after the other until one side has enough."""
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        try:
            peer = peer_of(writer.get_extra_info("socket"), self._policy)
            try:
                with self._crowd.admitted(peer):
                    evidence.CONNECTIONS.set(self._crowd.size)
                    with suppress(asyncio.IncompleteReadError):  # no more requests
                        while await self._answer_next(reader, writer, gone, peer):
                            pass
                    await self._part(reader, writer)
            except Refusal as refusal:
                self._note(peer, None, None, refusal, 0.0)
                await self._write(writer, _refused(refusal), head_only=False, keep_alive=False)
                await self._part(reader, writer)
        except OSError:
            pass  # the client has gone, or was too slow to be told
        finally:
            self._conversations.discard(task)
            self._idle.discard(task)
            evidence.CONNECTIONS.set(self._crowd.size)
            writer.transport.abort()  # whatever is still unsent has had its time

    async def _answer_next(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        gone: asyncio.Event,
        peer: Peer,
    ) -> bool:
        """Read a request and answer it. Returns whether the connection can take another."""
        raw = await self._read_head(reader)
        begun = time.monotonic()
        asked_head: RequestHead | None = None
        route: Route | None = None
        objects: list[str] = []
        unread = True
        outcome: Refusal | EngineDownError | Exception | None = None
        try:
            asked_head = head = parse_head(raw)
            route, reference = find_route(head.method, head.path)
            body = await self._read_body(reader, head, route, peer)
            unread = False
            begun = time.monotonic()
            asked = judge_request(route, reference, head.query, body, is_json=head.is_json)
            objects = asked.objects
            answer = await route.handler(self._gate, asked)
        except Refusal as refusal:
            outcome, answer = refusal, _refused(refusal)
        except EngineDownError as error:
            outcome, answer = error, _down(error)
        except _FAULTS as error:
            # A fault of ours, or an engine that answers as none does: closed is the default.
            outcome, answer = error, _faulty()
        self._note(peer, asked_head, route, outcome, time.monotonic() - begun, answer.status, objects)
        unread = unread and (asked_head is None or asked_head.length > 0)
        keep_alive = asked_head is not None and asked_head.keep_alive and not unread
        head_only = asked_head is not None and asked_head.method == "HEAD"
        if answer.pieces is None:
            await self._write(writer, answer, head_only=head_only, keep_alive=keep_alive)
            return keep_alive
        return await self._stream(writer, answer, gone) and keep_alive

    async def _read_head(self, reader: asyncio.StreamReader) -> bytes:
        """Read up to the empty line. Raises Refusal for a head too long or too slow."""
        task = asyncio.current_task()
        assert task is not None
        self._idle.add(task)
        async with asyncio.timeout(self._policy.idle_seconds):
            first = await reader.readexactly(1)
        self._idle.discard(task)
        try:
            async with asyncio.timeout(self._policy.head_seconds):
                return first + await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            raise Refusal("slow", "the request's head took too long", 408) from None
        except asyncio.LimitOverrunError:
            raise Refusal("framing", f"the head is longer than {request_head.MAX_BYTES} bytes", 431) from None

    async def _read_body(
        self, reader: asyncio.StreamReader, head: RequestHead, route: Route, peer: Peer
    ) -> bytes:
        longest = self._policy.body_bytes if route.takes_body else len(b"{}\n")
        if head.length > longest:
            raise Refusal("body", f"{route.name} takes a body of at most {longest} bytes", 413)
        body = bytearray()
        try:
            async with asyncio.timeout(self._policy.body_seconds):
                while len(body) < head.length:
                    piece = await reader.read(min(_PIECE_BYTES, head.length - len(body)))
                    if not piece:
                        raise asyncio.IncompleteReadError(b"", head.length)
                    self._crowd.take(peer, len(piece))
                    body += piece
        except TimeoutError:
            raise Refusal("slow", "the request's body took too long", 408) from None
        finally:
            self._crowd.give_back(peer, len(body))
        return bytes(body)

    async def _write(
        self, writer: asyncio.StreamWriter, answer: Answer, *, head_only: bool, keep_alive: bool
    ) -> None:
        headers = [*answer.headers]
        if answer.status not in _BODILESS:
            headers += [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        if not keep_alive:
            headers.append(("Connection", "close"))
        writer.write(_head(answer.status, headers) + (b"" if head_only else answer.body))
        await self._drain(writer)

    async def _stream(self, writer: asyncio.StreamWriter, answer: Answer, gone: asyncio.Event) -> bool:
        """Write a body of unknown length; a source that breaks breaks the connection, without an end."""
        assert answer.pieces is not None
        assert answer.exits is not None
        headers = [("Content-Type", answer.content_type), ("Transfer-Encoding", "chunked")]
        async with answer.exits:
            writer.write(_head(answer.status, headers))
            await self._drain(writer)
            pump = asyncio.create_task(self._pump(writer, answer.pieces))
            leaving = asyncio.create_task(gone.wait())
            try:
                await asyncio.wait({pump, leaving}, return_when=asyncio.FIRST_COMPLETED)
                return pump.done() and pump.result()
            finally:
                for task in (pump, leaving):
                    task.cancel()
                await asyncio.gather(pump, leaving, return_exceptions=True)

    async def _pump(self, writer: asyncio.StreamWriter, pieces: AsyncIterator[bytes]) -> bool:
        try:
            async for piece in pieces:
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await self._drain(writer)
        except (aiohttp.ClientError, OSError, EngineDownError, *_FAULTS) as error:
            self._record.line("stream-broken", reason=f"{type(error).__name__}: {shown(error)}")
            writer.transport.abort()
            return False
        writer.write(b"0\r\n\r\n")
        await self._drain(writer)
        return True

    async def _part(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See that the last answer arrives: send all of it, then drop for a moment what still comes."""
        if writer.transport.is_closing():
            return
        writer.transport.set_write_buffer_limits(high=0)
        await self._drain(writer)
        writer.write_eof()
        dropped = 0
        async with asyncio.timeout(_LINGER_SECONDS):
            while not reader.at_eof() and dropped < _LINGER_BYTES:
                dropped += len(await reader.read(_PIECE_BYTES))

    async def _drain(self, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(self._policy.stalled_seconds):
            await writer.drain()

    def _note(
        self,
        peer: Peer,
        head: RequestHead | None,
        route: Route | None,
        outcome: Exception | None,
        seconds: float,
        status: int = 0,
        objects: list[str] | None = None,
    ) -> None:
        verdict, rule, reason = "allowed", "route", ""
        match outcome:
            case Refusal(rule="engine"):
                rule, reason, status = "engine", outcome.reason, outcome.status
            case Refusal():
                verdict = "absent" if outcome.rule == "absent" else "refused"
                rule, reason, status = outcome.rule, outcome.reason, outcome.status
            case EngineDownError():
                verdict, rule, reason = "failed", "engine-down", str(outcome)
            case Exception():
                # Where, never what: the values of a request may be secret.
                frame = traceback.extract_tb(outcome.__traceback__)[-1]
                verdict, rule = "failed", "fault"
                reason = f"{type(outcome).__name__} in {frame.name}, line {frame.lineno}"
        self._record.decided(
            peer=peer.shown,
            method=head.method if head else "-",
            path=head.path[:200] if head else "-",
            route=route.name if route else "-",
            verdict=verdict,
            rule=rule,
            status=status,
            seconds=seconds,
            reason=reason,
            objects=objects or (),
        )


def _head(status: int, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "Server: docker-guard"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _refused(refusal: Refusal) -> Answer:
    return Answer(refusal.status, json.dumps({"message": refusal.message}).encode())


def _down(error: EngineDownError) -> Answer:
    return Answer(503, json.dumps({"message": f"docker-guard: {error}"}).encode())


def _faulty() -> Answer:
    return Answer(500, b'{"message":"docker-guard: an error of the guard; its log says where"}')
