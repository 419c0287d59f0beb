"""Where clients connect: reads one request at a time within limits, and answers with the decision."""

import asyncio
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from docker_guard.audit import metrics
from docker_guard.audit.audit_log import AuditLog
from docker_guard.calls.gate import Asked, Gate
from docker_guard.calls.routes import Route, find_route, judge_request
from docker_guard.clients import request_head
from docker_guard.clients.peers import Crowd, Peer, Share, peer_of
from docker_guard.clients.reply_writer import FAULTS, PIECE_BYTES, ReplyWriter
from docker_guard.clients.request_head import RequestHead, parse_head
from docker_guard.clients.verdict import Verdict
from docker_guard.engine.client import ON_BEHALF_OF
from docker_guard.leaving import Leaving
from docker_guard.refusal import EngineDownError, Refusal
from docker_guard.rules.policy import Policy
from docker_guard.sessions.answers import Answer

_FAREWELL_SECONDS = 5.0
_RECORD_SECONDS = 1.0
"""How long a creation waits for its line of the audit log: the reader may be busy."""
_MOST_TURNED_AWAY = 64
"""Connections beyond a ceiling that are answered at the same time; more are dropped without an answer."""


class _Connection(asyncio.StreamReaderProtocol):
    """A connection that notices when its client leaves while its call waits or its answer is written."""

    def __init__(self, door: "FrontDoor") -> None:
        reader = asyncio.StreamReader(limit=request_head.MAX_BYTES)
        super().__init__(reader, self._begin)
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._left = Leaving(transport.get_extra_info("socket"))
        super().connection_made(transport)

    async def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._door.converse(reader, writer, self._left)

    def eof_received(self) -> bool | None:
        self._left.notice()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._left.notice()
        super().connection_lost(exc)


class FrontDoor:
    """Serves connections of any number of listeners."""

    def __init__(self, gate: Gate, policy: Policy, record: AuditLog) -> None:
        self._gate = gate
        self._policy = policy
        self._record = record
        self._crowd = Crowd(policy)
        self._conversations: set[asyncio.Task[Any]] = set()
        self._idle: set[asyncio.Task[Any]] = set()
        self._turned_away = 0

    @property
    def crowd(self) -> Crowd:
        """Counts of connected clients; whoever accepts connections for this door counts them there."""
        return self._crowd

    def connection(self) -> asyncio.StreamReaderProtocol:
        """Return the protocol of a new connection."""
        return _Connection(self)

    async def let_in(self, connection: socket.socket) -> None:
        """Serve an accepted connection."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self.connection, connection)
        except OSError:  # the client left already
            connection.close()

    async def say_goodbye(self) -> None:
        """Give running requests a few seconds to end, then break every connection."""
        for task in list(self._idle):
            task.cancel()
        if busy := self._conversations - self._idle:
            await asyncio.wait(busy, timeout=_FAREWELL_SECONDS)
        for task in list(self._conversations):
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    async def converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: Leaving
    ) -> None:
        """Answer one request after the other until one side closes the connection."""
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        replies = ReplyWriter(writer, self._policy, self._record)
        try:
            certificate = writer.get_extra_info("peercert")
            peer = peer_of(writer.get_extra_info("socket"), self._policy, certificate)
            try:
                with self._crowd.admitted(peer):
                    metrics.CONNECTIONS.set(self._crowd.size)
                    with suppress(asyncio.IncompleteReadError):  # no more requests
                        while await self._answer_next(reader, replies, left, peer):
                            pass
                    await replies.part(reader)
            except Refusal as refusal:
                verdict = Verdict.of(refusal)
                self._note(peer, None, None, verdict)
                if self._turned_away < _MOST_TURNED_AWAY:
                    await self._turn_away(reader, replies, verdict.answer)
        except OSError:
            pass  # the client has gone, or was too slow to be answered
        finally:
            self._conversations.discard(task)
            self._idle.discard(task)
            metrics.CONNECTIONS.set(self._crowd.size)
            writer.transport.abort()  # the time for what is still unsent is over

    async def _turn_away(self, reader: asyncio.StreamReader, replies: ReplyWriter, answer: Answer) -> None:
        self._turned_away += 1
        try:
            await replies.write(answer, head_only=False, keep_alive=False)
            await replies.part(reader)
        finally:
            self._turned_away -= 1

    async def _answer_next(
        self, reader: asyncio.StreamReader, replies: ReplyWriter, left: Leaving, peer: Peer
    ) -> bool:
        """Read a request and answer it. Returns whether the connection can take another."""
        # A buffered request that is refused never awaits anything: without this, one connection could keep
        # the loop from all others.
        await asyncio.sleep(0)
        raw = await self._read_head(reader)
        with self._crowd.share(peer, left) as share:
            ON_BEHALF_OF.set(share)
            return await self._answer(raw, reader, replies, peer, share)

    async def _answer(
        self,
        raw: bytes,
        reader: asyncio.StreamReader,
        replies: ReplyWriter,
        peer: Peer,
        share: Share,
    ) -> bool:
        begun = time.monotonic()
        head: RequestHead | None = None
        route: Route | None = None
        asked: Asked | None = None
        unread = True
        try:
            head = parse_head(raw)
            route, reference = find_route(head.method, head.path)
            _check_sight(peer, route)
            _check_form(head, route)
            body = await self._read_body(reader, head, route, share)
            unread = False
            if body:
                await share.turn()
            begun = time.monotonic()
            asked = judge_request(route, reference, head.query, body, is_json=head.is_json)
            if route.lasts:
                share.last()
            if route.makes:
                await self._announce(peer, route)
            answer = await route.handler(self._gate, asked)
            # What has been done is recorded as done, even if there is no room for its answer.
            # One that lasts has no bytes yet, and holds places that it gives back at its end.
            if answer.body:
                (share.charge if route.changes else share.take)(len(answer.body))
            verdict = Verdict(answer)
        except (Refusal, EngineDownError, *FAULTS) as error:
            verdict = Verdict.of(error)
        self._note(peer, head, route, verdict, time.monotonic() - begun, asked.objects if asked else ())
        unread = unread and (head is None or head.length > 0)
        keep_alive = head is not None and head.keep_alive and not unread and not verdict.ends_connection
        if verdict.answer.sink is not None:
            await replies.switch(verdict.answer, reader, asked.objects if asked else ())
            return False
        if verdict.answer.pieces is None:
            head_only = head is not None and head.method == "HEAD"
            await replies.write(verdict.answer, head_only=head_only, keep_alive=keep_alive)
            return keep_alive
        return await replies.stream(verdict.answer, share.left) and keep_alive

    async def _announce(self, peer: Peer, route: Route) -> None:
        """Record an attempt before it is made. Raises Refusal if it cannot be recorded."""
        written = self._record.line("attempt", peer=peer.shown, route=route.name)
        end = time.monotonic() + _RECORD_SECONDS
        while not written:
            if time.monotonic() > end:
                raise Refusal(
                    "audit", "the audit log cannot be written; nothing is created until that works", 503
                )
            await asyncio.sleep(_RECORD_SECONDS / 10)
            written = self._record.flush()

    async def _read_head(self, reader: asyncio.StreamReader) -> bytes:
        """Read up to the empty line. Raises Refusal for a head that is too long or too slow."""
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
        self, reader: asyncio.StreamReader, head: RequestHead, route: Route, share: Share
    ) -> bytes:
        longest = self._policy.body_bytes if route.takes_body else len(b"{}\n")
        if head.length > longest:
            raise Refusal("body", f"{route.name} takes a body of at most {longest} bytes", 413)
        body = bytearray()
        try:
            async with asyncio.timeout(self._policy.body_seconds):
                while len(body) < head.length:
                    piece = await reader.read(min(PIECE_BYTES, head.length - len(body)))
                    if not piece:
                        raise asyncio.IncompleteReadError(b"", head.length)
                    share.take(len(piece))
                    body += piece
                    if len(body) < head.length:
                        await share.turn()  # long bodies are read piece by piece, one connection at a time
        except TimeoutError:
            raise Refusal("slow", "the request's body took too long", 408) from None
        return bytes(body)

    def _note(
        self,
        peer: Peer,
        head: RequestHead | None,
        route: Route | None,
        verdict: Verdict,
        seconds: float = 0.0,
        objects: Sequence[str] = (),
    ) -> None:
        self._record.decided(
            peer=peer.shown,
            method=head.method if head else "-",
            path=head.path[:200] if head else "-",
            route=route.name if route else "-",
            verdict=verdict.verdict,
            rule=verdict.rule,
            status=verdict.answer.status,
            seconds=seconds,
            reason=verdict.reason,
            objects=objects,
            trace=head.trace if head else None,
        )


def _check_form(head: RequestHead, route: Route) -> None:
    if head.takes_over != route.takes_over:
        needs = "needs" if route.takes_over else "has no"
        raise Refusal("framing", f"{route.name} {needs} Connection: Upgrade and Upgrade: tcp", 400)


def _check_sight(peer: Peer, route: Route) -> None:
    if peer.observes and not route.observable:
        raise Refusal("peer", "the guard of a worker may list networks and nothing else")
