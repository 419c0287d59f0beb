"""Where clients connect: reads one request at a time within limits, and has answered what was decided."""

import asyncio
import json
import time
import traceback
from contextlib import suppress
from typing import Any

from docker_guard import evidence, request_head
from docker_guard.answers import Answer
from docker_guard.engine import ON_BEHALF_OF
from docker_guard.evidence import Evidence
from docker_guard.gate import Asked, Gate
from docker_guard.peers import Crowd, Peer, Share, peer_of
from docker_guard.policy import Policy
from docker_guard.refusal import EngineDownError, Refusal
from docker_guard.reply_writer import FAULTS, PIECE_BYTES, ReplyWriter
from docker_guard.request_head import RequestHead, parse_head
from docker_guard.routes import Route, find_route, judge_request

_FAREWELL_SECONDS = 5.0
_RECORD_SECONDS = 1.0
"""How long a creation waits for its line to be written: whoever reads the lines may be busy."""
_MOST_TURNED_AWAY = 64
"""Connections beyond a ceiling that are told so at the same time; more are dropped without a word."""


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
        self._turned_away = 0

    @property
    def crowd(self) -> Crowd:
        """Who is connected: whoever takes connections for this door counts them there."""
        return self._crowd

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
        replies = ReplyWriter(writer, self._policy.stalled_seconds, self._record)
        try:
            peer = peer_of(writer.get_extra_info("socket"), self._policy)
            try:
                with self._crowd.admitted(peer):
                    evidence.CONNECTIONS.set(self._crowd.size)
                    with suppress(asyncio.IncompleteReadError):  # no more requests
                        while await self._answer_next(reader, replies, gone, peer):
                            pass
                    await replies.part(reader)
            except Refusal as refusal:
                self._note(peer, None, None, refusal, 0.0)
                if self._turned_away < _MOST_TURNED_AWAY:
                    await self._turn_away(reader, replies, refusal)
        except OSError:
            pass  # the client has gone, or was too slow to be told
        finally:
            self._conversations.discard(task)
            self._idle.discard(task)
            evidence.CONNECTIONS.set(self._crowd.size)
            writer.transport.abort()  # whatever is still unsent has had its time

    async def _turn_away(self, reader: asyncio.StreamReader, replies: ReplyWriter, refusal: Refusal) -> None:
        self._turned_away += 1
        try:
            await replies.write(_refused(refusal), head_only=False, keep_alive=False)
            await replies.part(reader)
        finally:
            self._turned_away -= 1

    async def _answer_next(
        self, reader: asyncio.StreamReader, replies: ReplyWriter, gone: asyncio.Event, peer: Peer
    ) -> bool:
        """Read a request and answer it. Returns whether the connection can take another."""
        raw = await self._read_head(reader)
        with self._crowd.share(peer) as share:
            ON_BEHALF_OF.set(share)
            return await self._answer(raw, reader, replies, gone, peer, share)

    async def _answer(
        self,
        raw: bytes,
        reader: asyncio.StreamReader,
        replies: ReplyWriter,
        gone: asyncio.Event,
        peer: Peer,
        share: Share,
    ) -> bool:
        begun = time.monotonic()
        head: RequestHead | None = None
        route: Route | None = None
        asked: Asked | None = None
        outcome: Exception | None = None
        unread = True
        try:
            head = parse_head(raw)
            route, reference = find_route(head.method, head.path)
            body = await self._read_body(reader, head, route, share)
            unread = False
            begun = time.monotonic()
            asked = judge_request(route, reference, head.query, body, is_json=head.is_json)
            if route.lasts:
                share.last()
            if route.makes:
                await self._announce(peer, route)
            answer = await route.handler(self._gate, asked)
            share.take(len(answer.body))
        except Refusal as refusal:
            outcome, answer = refusal, _refused(refusal)
        except EngineDownError as error:
            outcome, answer = error, _down(error)
        except FAULTS as error:
            # A fault of ours, or an engine that answers as none does: closed is the default.
            outcome, answer = error, _faulty()
        objects = asked.objects if asked else []
        self._note(peer, head, route, outcome, time.monotonic() - begun, answer.status, objects)
        unread = unread and (head is None or head.length > 0)
        crowded = isinstance(outcome, Refusal) and outcome.status == 503
        keep_alive = head is not None and head.keep_alive and not unread and not crowded
        if answer.pieces is None:
            head_only = head is not None and head.method == "HEAD"
            await replies.write(answer, head_only=head_only, keep_alive=keep_alive)
            return keep_alive
        return await replies.stream(answer, gone) and keep_alive

    async def _announce(self, peer: Peer, route: Route) -> None:
        """Record what is about to be tried. Raises Refusal: what cannot be on record is not made."""
        written = self._record.line("attempt", peer=peer.shown, route=route.name)
        end = time.monotonic() + _RECORD_SECONDS
        while not written:
            if time.monotonic() > end:
                raise Refusal(
                    "evidence", "no decision can be recorded; nothing is made until that works", 503
                )
            await asyncio.sleep(_RECORD_SECONDS / 10)
            written = self._record.flush()

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
        except TimeoutError:
            raise Refusal("slow", "the request's body took too long", 408) from None
        return bytes(body)

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
                rule, reason, status = "engine", outcome.on_record, outcome.status
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


def _refused(refusal: Refusal) -> Answer:
    return Answer(refusal.status, json.dumps({"message": refusal.message}).encode())


def _down(error: EngineDownError) -> Answer:
    return Answer(503, json.dumps({"message": f"docker-guard: {error}"}).encode())


def _faulty() -> Answer:
    return Answer(500, b'{"message":"docker-guard: an error of the guard; its log says where"}')
