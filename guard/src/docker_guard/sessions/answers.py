"""What a client sees: the engine's answers without anything that is not a session's."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from docker_guard.engine.client import NEWEST_API, OLDEST_API, Reply, dotted
from docker_guard.refusal import EngineDownError, Refusal
from docker_guard.refusal import shown as shown_text
from docker_guard.rules import labels

JSON = "application/json"
MAX_EVENT_BYTES = 1024 * 1024
_HEX = re.compile(r"[0-9a-f]{12,}")
_STREAM_TYPES = frozenset(
    {JSON, "application/vnd.docker.raw-stream", "application/vnd.docker.multiplexed-stream"}
)

_REPLACED_ERRORS: tuple[tuple[str, str], ...] = (
    ("pool overlaps", "Pool overlaps with other one on this address space"),
    ("overlap", "Pool overlaps with other one on this address space"),
    ("same bridge name", "the bridge name is already in use: networks have the same bridge name"),
    ("active endpoints", "the network has active endpoints"),
    ("is in use by task", "the network is in use by a task of the swarm"),
    ("removal of container", "removal of the container is already in progress"),
    ("is already in use by container", "the container name is already in use"),
    ("address already in use", "Address already in use"),
    ("already exists", "it already exists"),
    ("no configured subnet", "the address is outside of the network's subnet"),
    ("cannot remove", "the container runs: stop it first, or remove it with force"),
)
"""Error texts of the engine that clients act on, and what replaces them: without foreign names and ids."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client gets. `exits` must be closed after a stream.

    With `pieces` the body is a stream; with `sink` what the client sends from now on is, and goes there.
    """

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    pieces: AsyncIterator[bytes] | None = None
    sink: asyncio.StreamWriter | None = None
    exits: AsyncExitStack | None = None


type Shown = Callable[[Any], Any]


def as_it_is(value: Any) -> Any:
    """Show the whole of an object that is a session's."""
    return value


def own_only(value: Any) -> Any:
    """Show the containers or networks of a list that carry a session's label, filtered here once more."""
    return [each for each in value or () if labels.session_of(each.get("Labels"))]


def only_id(value: Any) -> Any:
    """Show the id of what was created, without warnings, which may mention the host."""
    return {"Id": value["Id"], "Warnings": []}


def only_network_id(value: Any) -> Any:
    """Show the id of the network that was created."""
    return {"Id": value["Id"], "Warning": ""}


def version_numbers(value: Any) -> Any:
    """Show what clients need to negotiate the API version."""
    newest = min(tuple(map(int, value["ApiVersion"].split("."))), NEWEST_API)
    return {
        "Version": value.get("Version", ""),
        "ApiVersion": dotted(newest),
        "MinAPIVersion": dotted(OLDEST_API),
        "Os": value.get("Os", ""),
        "Arch": value.get("Arch", ""),
    }


def nothing(_: Any) -> Any:
    """Show no body."""
    return None


def answer_from(reply: Reply, shown: Shown, own_id: str = "") -> Answer:
    """Return the engine's answer as the client may see it. Raises Refusal for the engine's own errors."""
    if reply.status in {204, 304} or (reply.status < 300 and shown is nothing):
        return Answer(reply.status)
    if reply.status >= 300:
        raise refused_by_engine(reply, own_id)
    if shown is as_it_is:
        return Answer(reply.status, reply.body)
    return Answer(reply.status, json.dumps(shown(reply.json())).encode())


def refused_by_engine(reply: Reply, own_id: str) -> Refusal:
    """Return the engine's error: what the client may see, and for the audit log the whole text."""
    on_record = f"the engine answered {reply.status}: {shown_text(reply.message)}"
    message = error_text(reply.message, reply.status, own_id)
    return Refusal("engine", message, reply.status, on_record=on_record)


def error_text(message: str, status: int, own_id: str = "") -> str:
    """Return an error of the engine for the client; only its status if it may name what is foreign."""
    lowered = message.lower()
    for known, text in _REPLACED_ERRORS:
        if known in lowered:
            return text
    if not own_id:
        return f"the engine answered {status}; its text is in the guard's log"
    return _HEX.sub(lambda found: found[0] if own_id.startswith(found[0]) else "[hidden]", message)


def stream_type(content_type: str) -> str:
    """Return the content type of a stream. Raises EngineDownError for one that no engine uses."""
    if content_type.partition(";")[0] not in _STREAM_TYPES:
        raise EngineDownError(f"the engine answered with the type {content_type!r}")
    return content_type


async def own_events(pieces: AsyncIterator[bytes], *, wanted: bool) -> AsyncGenerator[bytes]:
    """Yield events of containers that carry a session's label.

    Network events carry no labels, so none can be shown. Raises EngineDownError for an overlong line.
    """
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > MAX_EVENT_BYTES:
            raise EngineDownError(f"the engine sent an event of more than {MAX_EVENT_BYTES} bytes")
        events = [json.loads(line) for line in lines if line.strip()]
        own = [
            event
            for event in events
            if event.get("Type") == "container" and labels.session_of(event["Actor"].get("Attributes"))
        ]
        if own and wanted:
            yield b"".join(json.dumps(event).encode() + b"\n" for event in own)
