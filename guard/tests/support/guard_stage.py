"""Requests that a client may send, and a guard to send them to."""

import asyncio
import copy
import errno
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from fake_engine import FakeEngine

from docker_guard.clients.front_door import FrontDoor
from docker_guard.clients.peers import Share, _Ceiling
from docker_guard.clients.turns import Turns
from docker_guard.engine.client import ON_BEHALF_OF
from docker_guard.leaving import Leaving
from docker_guard.refusal import Refusal
from docker_guard.rules import labels

WEB, SCAN = "discovery/test-web:1", "discovery/test-collector-scan:1"
WEB_ID, SCAN_ID = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
LISTEN, LISTEN_ID = "discovery/test-collector-listen:1", f"sha256:{'e' * 64}"
ALLOWLIST = {
    "version": 1,
    "images": {
        WEB: {
            "id": WEB_ID,
            "environment": ["GREETING"],
            "capabilities": ["CHOWN"],
            "tmpfs": {"/run": {"size": 1048576, "uid": 33, "gid": 33, "mode": "0755"}},
        },
        SCAN: {"id": SCAN_ID, "environment": ["DISCOVERY_CONFIG"], "capabilities": ["NET_RAW"]},
        LISTEN: {"id": LISTEN_ID, "environment": ["DISCOVERY_CONFIG"], "stdin": True},
    },
}


def judged[T](judge: Callable[[], T]) -> T | Refusal:
    """Return the result of a judgement, or its refusal."""
    try:
        return judge()
    except Refusal as refusal:
        return refusal


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def on_behalf_of(client: str, left: Leaving | None = None) -> None:
    """Have what this task does count as a client's."""
    ceiling = _Ceiling(10, "")
    ON_BEHALF_OF.set(Share(client, ceiling, ceiling, Turns(), left or Leaving()))


class Words:
    """Bodies of one session, as an orchestrator sends them."""

    def __init__(self, seconds: float = 600) -> None:
        self.session_id = str(uuid4())
        self.shared = {
            labels.SESSION_ID: self.session_id,
            labels.OWNER: "owner-1",
            labels.TEMPLATE: "small",
            labels.EXPIRES_AT: in_seconds(seconds),
        }
        self.network_name = f"dryrun-{self.session_id}"

    def network(self, **changes: Any) -> dict[str, Any]:
        body = {
            "Name": self.network_name,
            "Driver": "bridge",
            "Internal": True,
            "EnableIPv6": False,
            "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.213.4.0/27"}]},
            "Options": {
                "com.docker.network.bridge.name": f"dr-{self.session_id.replace('-', '')[:12]}",
                "com.docker.network.bridge.inhibit_ipv4": "true",
            },
            "Labels": dict(self.shared),
        }
        return body | changes

    def overlay(self, **changes: Any) -> dict[str, Any]:
        body = {
            "Name": self.network_name,
            "Driver": "overlay",
            "Scope": "swarm",
            "Internal": True,
            "EnableIPv6": False,
            "Attachable": True,
            "IPAM": {
                "Driver": "default",
                "Config": [{"Subnet": "10.213.4.0/26", "IPRange": "10.213.4.32/27"}],
            },
            "Options": {"encrypted": ""},
            "Labels": dict(self.shared),
        }
        return body | changes

    def container(self, image: str = WEB, **changes: Any) -> dict[str, Any]:
        is_web = image in (WEB, WEB_ID)
        body: dict[str, Any] = {
            "Image": image,
            "Labels": self.shared
            | {
                labels.SERVICE: "web",
                labels.ROLE: "target" if is_web else "collector",
                labels.IMAGE: WEB if is_web else LISTEN if image in (LISTEN, LISTEN_ID) else SCAN,
            },
            "Env": [],
            "HostConfig": {
                "NetworkMode": self.network_name,
                "CapDrop": ["ALL"],
                "CapAdd": [],
                "SecurityOpt": ["no-new-privileges"],
                "Memory": 512 * 2**20,
                "MemorySwap": 512 * 2**20,
                "NanoCpus": 500_000_000,
                "PidsLimit": 100,
                "ReadonlyRootfs": True,
                "Tmpfs": {"/run": "size=1m"} if is_web else {},
                "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "1"}},
            },
            "NetworkingConfig": {
                "EndpointsConfig": {
                    self.network_name: {"IPAMConfig": {"IPv4Address": "10.213.4.5"}, "Aliases": ["web"]}
                }
            },
        }
        return copy.deepcopy(body | changes)

    def with_host(self, image: str = WEB, **changes: Any) -> dict[str, Any]:
        body = self.container(image)
        body["HostConfig"] |= changes
        return body


@dataclass(frozen=True)
class Reply:
    status: int
    head: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.json()["message"])


class Log:
    """The destination of the audit log; a disk that may be full."""

    def __init__(self) -> None:
        self.raw = bytearray()
        self.room = 10**9
        """Bytes that can still be written."""

    def write(self, line: bytes) -> int:
        piece = line[: self.room]
        self.raw += piece
        self.room -= len(piece)
        if not piece:
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(piece)

    def lines(self, *types: str) -> list[dict[str, Any]]:
        """Return the complete lines, of all types or of some."""
        found = []
        for line in self.raw.splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
        return [each for each in found if not types or each["type"] in types]


class Guard:
    """A guard in this process, used over its socket."""

    def __init__(self, socket: Path, engine: FakeEngine, log: Log, door: FrontDoor) -> None:
        self.socket = socket
        self.engine = engine
        self.door = door
        self.log = log

    @property
    def lines(self) -> list[dict[str, Any]]:
        return self.log.lines()

    @property
    def decisions(self) -> list[dict[str, Any]]:
        return self.log.lines("decision")

    async def send(self, raw: bytes, seconds: float = 5, *, stays: bool = False) -> bytes:
        """Send bytes and close that direction, unless the client stays; return everything that comes back."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        try:
            writer.write(raw)
            if not stays:
                writer.write_eof()
            async with asyncio.timeout(seconds):
                return await reader.read()
        finally:
            writer.close()

    async def ask(self, method: str, path: str, body: Any = None) -> Reply:
        raw = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
        if raw:
            head += f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n"
        return read_reply(await self.send(head.encode() + b"\r\n" + raw, stays=True))

    async def create(self, body: Any, name: str = "") -> Reply:
        query = f"?name={name}" if name else ""
        return await self.ask("POST", f"/v1.45/containers/create{query}", body)

    async def make_session(self, words: Words, **changes: Any) -> str:
        reply = await self.ask("POST", "/v1.45/networks/create", words.network(**changes))
        assert reply.status == 201, reply.body
        return str(reply.json()["Id"])

    async def make_container(self, body: Any, name: str = "") -> str:
        reply = await self.create(body, name)
        assert reply.status == 201, reply.body
        return str(reply.json()["Id"])


def read_reply(raw: bytes) -> Reply:
    head, _, body = raw.partition(b"\r\n\r\n")
    if b"Transfer-Encoding: chunked" in head:
        body = _unchunked(body)
    return Reply(int(head.split()[1]), head.decode(), body)


def _unchunked(raw: bytes) -> bytes:
    body = b""
    while raw:
        size, _, raw = raw.partition(b"\r\n")
        body, raw = body + raw[: int(size, 16)], raw[int(size, 16) + 2 :]
    return body
