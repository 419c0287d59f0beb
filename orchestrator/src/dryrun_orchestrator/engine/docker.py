"""Docker Engine over HTTP, possibly behind a proxy: the calls of `protocol.Engine`, and no others."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from dryrun_orchestrator.engine.docker_answers import (
    EVENT_LINE_CEILING_BYTES,
    container_detail_from,
    container_from,
    event_from,
    id_from,
    network_from,
    shape_checked,
    traffic_from,
)
from dryrun_orchestrator.engine.docker_errors import Call, rubbish
from dryrun_orchestrator.engine.docker_http import (
    CALL_SECONDS,
    QUIET_SECONDS,
    WORK_SECONDS,
    EngineHttp,
    checked_id,
)
from dryrun_orchestrator.engine.docker_requests import container_body, network_body
from dryrun_orchestrator.engine.errors import EngineError, EngineUnreachableError
from dryrun_orchestrator.engine.label_match import carries
from dryrun_orchestrator.engine.log_frames import LogFrameError, LogFrames
from dryrun_orchestrator.engine.protocol import (
    Container,
    ContainerDetail,
    ContainerSpec,
    EngineEvent,
    LogChunk,
    Network,
    NetworkSpec,
    Traffic,
)

_PING_SECONDS = 5.0
_CANCELLED_SECONDS = 5.0
"""How long a create is still awaited after it was cancelled."""
_EVENTS = {
    "type": ["container", "network"],
    "event": [
        "connect", "create", "destroy", "die", "disconnect", "health_status", "kill", "oom", "pause",
        "remove", "start", "stop", "unpause",
    ],
}  # fmt: skip
"""Actions that change a state. Each run of a health check causes three more events (`exec_create: …`,
`exec_start: …`, `exec_die`), some 200 a second while 20 targets start; its result comes as `health_status:
…`."""
_SHORTEST_SECRET = 4
_MEMORY_HEADER = "Docker-Guard-Memory-Available"
_BYTES = re.compile(r"[0-9]{1,18}")


class DockerEngine:
    """A Docker Engine, version 25 or later. `protocol.Engine` specifies each call."""

    def __init__(
        self,
        docker_host: str,
        *,
        cert_path: Path | None = None,
        call_seconds: float = CALL_SECONDS,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        """Use DOCKER_HOST, `unix:///path` or `tcp://host:port`; connect at the first call.

        `cert_path` is a folder of ca.pem, cert.pem and key.pem, and means mutual TLS.
        `call_seconds` is the deadline of a plain call, `quiet_seconds` the longest silence on a log or event
        stream before it counts as broken. Raises ValueError for a host of another form and
        for certificates that cannot be used.
        """
        self._http = EngineHttp(
            docker_host, cert_path=cert_path, call_seconds=call_seconds, quiet_seconds=quiet_seconds
        )

    async def ping(self) -> int | None:
        """Return when the engine answers, with what its guard says of the host's memory."""
        headers, answer = await self._http.call("GET", "/_ping", seconds=_PING_SECONDS, versioned=False)
        if answer.strip() != b"OK":
            raise rubbish(Call("GET", "/_ping"), answer[:400].decode(errors="replace"))
        said = headers.get(_MEMORY_HEADER, "")
        return int(said) if _BYTES.fullmatch(said) else None

    async def version(self) -> str:
        """Return the engine's version."""
        answer = await self._http.get_json("/version", versioned=False)
        with shape_checked(Call("GET", "/version")):
            return str(answer["Version"])

    async def create_network(self, spec: NetworkSpec) -> str:
        """Create an internal network; see `docker_requests.network_body`."""
        answer = await _answered(self._http.create("/networks/create", network_body(spec)))
        with shape_checked(Call("POST", "/networks/create")):
            return id_from(answer)

    async def list_networks(self, label: str, *, overlays: bool = False) -> list[Network]:
        """List networks with the label, which is checked here again."""
        drivers = {"driver": ["overlay"]} if overlays else {}
        answer = await self._http.get_json("/networks", _label_filter(label, **drivers))
        with shape_checked(Call("GET", "/networks")):
            networks = [network_from(item) for item in answer]
        return [network for network in networks if carries(network.labels, label)]

    async def remove_network(self, network_id: str) -> None:
        """Remove a network."""
        await self._http.change("DELETE", f"/networks/{checked_id(network_id)}")

    async def create_container(self, spec: ContainerSpec) -> str:
        """Create a container; see `docker_requests.container_body`. Errors never contain its environment."""
        try:
            answer = await _answered(
                self._http.create("/containers/create", container_body(spec), {"name": checked_id(spec.name)})
            )
        except EngineError as error:
            text = _without_secrets(str(error), spec).replace(
                spec.image_id, f"{spec.image_name} ({spec.image_id})"
            )
            raise type(error)(text) from None
        with shape_checked(Call("POST", "/containers/create")):
            return id_from(answer)

    async def start_container(self, container_id: str) -> None:
        """Start a container; no effect when it runs."""
        await self._http.change("POST", f"/containers/{checked_id(container_id)}/start")

    async def send_input(self, container_id: str, data: bytes) -> None:
        """Write to a container's standard input, and close the connection; the input stays open."""
        await self._http.send(
            f"/containers/{checked_id(container_id)}/attach", {"stdin": "1", "stream": "1"}, data
        )

    async def list_containers(self, label: str) -> list[Container]:
        """List containers with the label, which is checked here again."""
        answer = await self._http.get_json("/containers/json", {"all": "1", **_label_filter(label)})
        with shape_checked(Call("GET", "/containers/json")):
            containers = [container_from(item) for item in answer]
        return [container for container in containers if carries(container.labels, label)]

    async def inspect_container(self, container_id: str) -> ContainerDetail:
        """Inspect a container."""
        path = f"/containers/{checked_id(container_id)}/json"
        answer = await self._http.get_json(path)
        with shape_checked(Call("GET", path)):
            return container_detail_from(answer)

    async def remove_container(self, container_id: str) -> None:
        """Remove a container, running or not, with its anonymous volumes."""
        path = f"/containers/{checked_id(container_id)}"
        await self._http.change("DELETE", path, {"v": "1", "force": "1"})

    async def read_traffic(self, container_id: str) -> Traffic | None:
        """Read a container's counters once, without the second that the engine takes for a CPU rate."""
        path = f"/containers/{checked_id(container_id)}/stats"
        answer = await self._http.get_json(path, {"stream": "false", "one-shot": "true"})
        with shape_checked(Call("GET", path)):
            return traffic_from(answer)

    async def read_log(
        self, container_id: str, *, follow: bool, since: datetime | None = None
    ) -> AsyncGenerator[LogChunk]:
        """Read both streams of a container's log from the start, or from `since` with timestamps."""
        path = f"/containers/{checked_id(container_id)}/logs"
        query = {"stdout": "1", "stderr": "1", "follow": "1" if follow else "0"}
        if since is not None:
            query |= {"timestamps": "1", "since": f"{since.timestamp():.6f}"}
        frames = LogFrames()
        async with self._http.stream(path, query) as pieces:
            async for piece in pieces:
                try:
                    for chunk in frames.feed(piece):
                        yield chunk
                except LogFrameError as error:
                    raise rubbish(Call("GET", path), str(error)) from error
        if not frames.is_between_frames:
            raise EngineUnreachableError(
                f"GET {path}: the connection ended in the middle of a line; read again from the start"
            )

    @asynccontextmanager
    async def events(self) -> AsyncGenerator[AsyncIterator[EngineEvent]]:
        """Subscribe; the subscription is active once the head of the answer has arrived."""
        async with self._http.stream("/events", {"filters": json.dumps(_EVENTS)}) as pieces:
            events = _events(pieces)
            try:
                yield events
            finally:
                await events.aclose()

    async def past_actions(self, container_id: str, since: datetime, until: datetime) -> tuple[str, ...]:
        """Return a container's actions between two times, as far as the engine remembers."""
        query = {
            "since": f"{since.timestamp():.6f}",
            "until": f"{until.timestamp():.6f}",
            "filters": json.dumps({"type": ["container"], "container": [checked_id(container_id)]}),
        }
        _, body = await self._http.call("GET", "/events", query, seconds=WORK_SECONDS)
        with shape_checked(Call("GET", "/events")):
            events = [event_from(line) for line in body.splitlines() if line.strip()]
        return tuple(event.action for event in events if event is not None and event.id == container_id)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()


async def _answered[Answer](create: Coroutine[Any, Any, Answer]) -> Answer:
    """Await a create; when cancelled, go on until the engine has answered, and be cancelled then."""
    task = asyncio.create_task(create)
    # Nobody reads how a create ended whose client was cancelled.
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=_CANCELLED_SECONDS)
        raise
    finally:
        task.cancel()


async def _events(pieces: AsyncIterator[bytes]) -> AsyncGenerator[EngineEvent]:
    call = Call("GET", "/events")
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > EVENT_LINE_CEILING_BYTES:
            raise rubbish(call, f"a line of more than {EVENT_LINE_CEILING_BYTES} bytes")
        for line in filter(None, map(bytes.strip, lines)):
            with shape_checked(call):
                event = event_from(line)
            if event is not None:
                yield event
    raise EngineUnreachableError(f"{call}: the stream of events ended; subscribe, then list again")


def _label_filter(label: str, **others: list[str]) -> dict[str, str]:
    return {"filters": json.dumps({"label": [label], **others})}


def _without_secrets(text: str, spec: ContainerSpec) -> str:
    for value in spec.environment.values():
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, "[hidden]")
    return text
