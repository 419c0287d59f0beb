"""The answers that last: logs, events, the wait for an end, and input; each with what bounds it."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from docker_guard.calls.stream_bounds import Inputs, Readers
from docker_guard.engine.client import ON_BEHALF_OF, Engine, Reply
from docker_guard.engine.engine_work import MAKING_SECONDS, EngineWork
from docker_guard.rules import labels
from docker_guard.rules.policy import Policy
from docker_guard.sessions import answers
from docker_guard.sessions.answers import Answer

_MOST_EVENT_READERS = 32
"""For each client. Each event is parsed once for each reader: 128 of them kept the guard busy."""

_SEARCH_COSTS = 8
"""How many times as much of a processor as the engine's part of a start, most of which other programs do."""
_FIRST_PIECE_SECONDS = 0.25


class Streams:
    """Opens answers that last. Each raises Refusal or EngineDownError."""

    def __init__(self, engine: Engine, policy: Policy) -> None:
        self._engine = engine
        self._log_readers = Readers(policy.log_readers, "one log at a time")
        self._event_readers = Readers(_MOST_EVENT_READERS, "events for one client")
        self._inputs = Inputs()
        self._searching = EngineWork(policy, MAKING_SECONDS, one_in=_SEARCH_COSTS)
        self._opening = EngineWork(policy, _FIRST_PIECE_SECONDS)

    async def logs(self, container_id: str, query: Mapping[str, str]) -> Answer:
        """Read or follow a log.

        The engine searches all that was written before, however little of it is asked for, and takes a whole
        processor for it. So logs are read few at a time, until their end; one that is followed, until its
        first piece, or for as long as a search may take. Whoever follows all of a log has its first piece at
        once, if there is any, and keeps the engine busy no faster than it reads: that counts as any call.
        """
        is_followed, is_part = query.get("follow") == "1", _is_part(query)
        work = self._searching if is_part or not is_followed else self._opening
        async with AsyncExitStack() as exits:
            exits.enter_context(self._log_readers.reading(container_id))
            end = await work.take()
            exits.callback(end)
            answer = await self._open(exits, "GET", f"/containers/{container_id}/logs", query, container_id)
            if not is_followed:
                return answer
            assert answer.pieces is not None
            seconds = MAKING_SECONDS if is_part else _FIRST_PIECE_SECONDS
            asyncio.get_running_loop().call_later(seconds, end)
            return replace(answer, pieces=_with_first(answer.pieces, end))

    async def wait(self, container_id: str, query: Mapping[str, str]) -> Answer:
        """Wait for a container; the answer's head is sent at once."""
        async with AsyncExitStack() as exits:
            return await self._open(exits, "POST", f"/containers/{container_id}/wait", query, container_id)

    async def input(self, container_id: str) -> Answer:
        """Open a container's standard input."""
        async with AsyncExitStack() as exits:
            exits.enter_context(self._inputs.writing(container_id))
            reply, sink = await exits.enter_async_context(self._engine.input_of(container_id))
            if reply.status != 101:
                raise answers.refused_by_engine(reply, container_id)
            return Answer(101, sink=sink, exits=exits.pop_all())

    async def events(self, query: Mapping[str, str]) -> Answer:
        """Follow the events of the sessions' containers that also match the client's filters."""
        theirs = json.loads(query.get("filters", "{}"))
        types = theirs.get("type", ["container"])
        ours = {**theirs, "type": ["container"], "label": [labels.SESSION_ID, *theirs.get("label", ())]}
        asked = {key: query[key] for key in ("since", "until") if key in query}
        asked["filters"] = json.dumps(ours)
        client = ON_BEHALF_OF.get()
        async with AsyncExitStack() as exits:
            exits.enter_context(self._event_readers.reading(client.key if client is not None else ""))
            answer = await self._open(exits, "GET", "/events", asked, "")
            assert answer.pieces is not None
            pieces = answers.own_events(answer.pieces, wanted="container" in types)
            return replace(answer, content_type=answers.JSON, pieces=pieces)

    async def _open(
        self, exits: AsyncExitStack, method: str, path: str, query: Mapping[str, str], own_id: str
    ) -> Answer:
        """Return the answer, whose end is also that of what `exits` holds."""
        response = await exits.enter_async_context(self._engine.stream(method, path, query))
        if response.status != 200:
            reply = Reply(response.status, await response.content.read(4096))
            raise answers.refused_by_engine(reply, own_id)
        content_type = answers.stream_type(response.headers.get("Content-Type", answers.JSON))
        pieces: AsyncIterator[bytes] = response.content.iter_any()
        # From here on closing it is the front door's task.
        return Answer(200, content_type=content_type, pieces=pieces, exits=exits.pop_all())


def _is_part(query: Mapping[str, str]) -> bool:
    """Return whether a log may hold much of which nothing is asked for."""
    whole = query.get("stdout") == query.get("stderr") == "1" and query.get("tail", "all") == "all"
    return not whole or "since" in query or "until" in query


async def _with_first(pieces: AsyncIterator[bytes], end: Callable[[], None]) -> AsyncGenerator[bytes]:
    """Yield the pieces, and call `end` with the first of them."""
    async for piece in pieces:
        end()
        yield piece
