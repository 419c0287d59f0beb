"""What a client gets to see: answers of the engine with everything that is not a session's taken out."""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from docker_guard import labels
from docker_guard.engine import NEWEST_API, OLDEST_API, Reply
from docker_guard.refusal import EngineDownError, Refusal
from docker_guard.refusal import shown as shown_text

JSON = "application/json"
MAX_EVENT_BYTES = 1024 * 1024
_HEX = re.compile(r"[0-9a-f]{12,}")
_STREAM_TYPES = frozenset(
    {JSON, "application/vnd.docker.raw-stream", "application/vnd.docker.multiplexed-stream"}
)

_TOLD: tuple[tuple[str, str], ...] = (
    ("pool overlaps", "Pool overlaps with other one on this address space"),
    ("overlap", "Pool overlaps with other one on this address space"),
    ("same bridge name", "the bridge name is already in use: networks have the same bridge name"),
    ("active endpoints", "the network has active endpoints"),
    ("removal of container", "removal of the container is already in progress"),
    ("is already in use by container", "the container name is already in use"),
    ("address already in use", "Address already in use"),
    ("already exists", "it already exists"),
    ("no configured subnet", "the address is outside of the network's subnet"),
    ("cannot remove", "the container runs: stop it before, or remove it with force"),
)
"""Texts of the engine that clients act on, and how they are told: without names and ids of other things."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes to the client. With `pieces` the body is a stream, and `exits` has to be closed after it."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    pieces: AsyncIterator[bytes] | None = None
    exits: AsyncExitStack | None = None


type Shown = Callable[[Any], Any]


def as_it_is(value: Any) -> Any:
    """Show all of an object that was found to be a session's."""
    return value


def own_only(value: Any) -> Any:
    """Show the containers or networks of a list that carry a session's label, checked here once more."""
    return [each for each in value or () if labels.session_of(each.get("Labels"))]


def only_id(value: Any) -> Any:
    """Show the id of what was made, and no warnings, which may speak of the host."""
    return {"Id": value["Id"], "Warnings": []}


def only_network_id(value: Any) -> Any:
    """Show the id of what was made."""
    return {"Id": value["Id"], "Warning": ""}


def version_numbers(value: Any) -> Any:
    """Show what clients negotiate by."""
    newest = min(tuple(map(int, value["ApiVersion"].split("."))), NEWEST_API)
    return {
        "Version": value.get("Version", ""),
        "ApiVersion": ".".join(map(str, newest)),
        "MinAPIVersion": ".".join(map(str, OLDEST_API)),
        "Os": value.get("Os", ""),
        "Arch": value.get("Arch", ""),
    }


def nothing(_: Any) -> Any:
    """Show no body."""
    return None


def answer_from(reply: Reply, shown: Shown, own_id: str = "") -> Answer:
    """Return the engine's answer as the client may see it. Raises Refusal for the engine's own refusals."""
    if reply.status in {204, 304} or (reply.status < 300 and shown is nothing):
        return Answer(reply.status)
    if reply.status >= 300:
        raise refused_by_engine(reply, own_id)
    if shown is as_it_is:
        return Answer(reply.status, reply.body)
    return Answer(reply.status, json.dumps(shown(reply.json())).encode())


def refused_by_engine(reply: Reply, own_id: str) -> Refusal:
    """Return the engine's refusal: what may be told, and for the record what it said."""
    on_record = f"the engine answered {reply.status}: {shown_text(reply.message)}"
    return Refusal("engine", told(reply.message, reply.status, own_id), reply.status, on_record=on_record)


def told(message: str, status: int, own_id: str = "") -> str:
    """Tell an error of the engine; one that may name what is not the client's only by its status."""
    lowered = message.lower()
    for known, text in _TOLD:
        if known in lowered:
            return text
    if not own_id:
        return f"the engine answered {status}; its text is in the guard's log"
    return _HEX.sub(lambda found: found[0] if own_id.startswith(found[0]) else "[hidden]", message)


def stream_type(content_type: str) -> str:
    """Return the type of a stream. Raises EngineDownError for one that no engine uses."""
    if content_type.partition(";")[0] not in _STREAM_TYPES:
        raise EngineDownError(f"the engine answered with the type {content_type!r}")
    return content_type


async def own_events(pieces: AsyncIterator[bytes], *, wanted: bool) -> AsyncGenerator[bytes]:
    """Pass on events of containers that carry a session's label.

    Network events carry no labels, so none of them can be shown. Raises EngineDownError on an endless line.
    """
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > MAX_EVENT_BYTES:
            raise EngineDownError(f"the engine told an event of more than {MAX_EVENT_BYTES} bytes")
        events = [json.loads(line) for line in lines if line.strip()]
        own = [
            event
            for event in events
            if event.get("Type") == "container" and labels.session_of(event["Actor"].get("Attributes"))
        ]
        if own and wanted:
            yield b"".join(json.dumps(event).encode() + b"\n" for event in own)
