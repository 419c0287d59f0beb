"""Speaks to the engine and to the guard by plain sockets: attacks and answers are bytes."""

import http.client
import json
import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

ENGINE_SOCKET = "/var/run/docker.sock"
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")


class SocketConnection(http.client.HTTPConnection):
    """A kept connection over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


class EngineError(AssertionError):
    """The engine did not do what the laboratory needs."""


class EngineSocket:
    """The engine's API on a Unix socket, one connection, used by one thread."""

    def __init__(self, path: str = ENGINE_SOCKET) -> None:
        self._connection = SocketConnection(path)

    def close(self) -> None:
        self._connection.close()

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and answer, parsed if it is JSON."""
        sent = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            self._connection.request(method, f"/v1.45{path}", sent, headers)
            answer = self._connection.getresponse()
        except (http.client.HTTPException, OSError):
            self._connection.close()  # an idle connection was closed: once more on a new one
            self._connection.request(method, f"/v1.45{path}", sent, headers)
            answer = self._connection.getresponse()
        said = answer.read()
        try:
            return answer.status, json.loads(said)
        except ValueError:
            return answer.status, said

    def get(self, path: str) -> Any:
        return self.must("GET", path)

    def must(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer of a call that has to succeed. Raises EngineError."""
        status, answer = self.call(method, path, body)
        if not 200 <= status < 400:
            raise EngineError(f"{method} {path}: {status} {answer}")
        return answer

    def containers(self) -> list[dict[str, Any]]:
        return list(self.get("/containers/json?all=1"))

    def networks(self) -> list[dict[str, Any]]:
        return list(self.get("/networks"))

    def volumes(self) -> set[str]:
        return {volume["Name"] for volume in self.get("/volumes")["Volumes"] or ()}

    def images(self) -> dict[str, list[str]]:
        return {image["Id"]: sorted(image["RepoTags"] or ()) for image in self.get("/images/json")}

    def with_label(self, kind: str, label: str) -> list[dict[str, Any]]:
        """Return the `containers` or `networks` that carry a label, `key` or `key=value`."""
        filters = quote(json.dumps({"label": [label]}))
        path = "/containers/json?all=1&" if kind == "containers" else "/networks?"
        return list(self.get(f"{path}filters={filters}"))

    def labelled(self, kind: str, label: str) -> list[str]:
        """Return the ids of what `with_label` returns."""
        return [found["Id"] for found in self.with_label(kind, label)]

    def remove_container(self, container: str) -> None:
        status, answer = self.call("DELETE", f"/containers/{container}?force=1&v=1")
        if status not in (204, 404, 409):  # 409: its removal is under way
            raise EngineError(f"removing {container}: {status} {answer}")

    def remove_network(self, network: str) -> None:
        for _ in range(50):
            status, answer = self.call("DELETE", f"/networks/{network}")
            if status in (204, 404):
                return
            time.sleep(0.1)  # "active endpoints", a moment after the last container went
        raise EngineError(f"removing network {network}: {status} {answer}")


@dataclass(slots=True)
class Answer:
    """Everything that came back on one connection."""

    received: bytes
    seconds: float
    statuses: list[int] = field(init=False)

    def __post_init__(self) -> None:
        # Answers' bodies here are JSON, which holds no status line at the start of a line.
        self.statuses = [int(found) for found in _STATUS_LINE.findall(self.received)]
        while self.statuses[:1] == [100]:
            del self.statuses[0]

    @property
    def status(self) -> int:
        """The first answer's; 0 when there was none."""
        return self.statuses[0] if self.statuses else 0

    @property
    def body(self) -> bytes:
        """The last answer's body, chunks taken apart."""
        head, _, body = self.received.rpartition(b"HTTP/1.")[2].partition(b"\r\n\r\n")
        return _without_chunks(body) if b"chunked" in head.lower() else body

    @property
    def message(self) -> str:
        """Docker's error text."""
        try:
            return str(json.loads(self.body)["message"])
        except (ValueError, KeyError, TypeError):
            return ""

    def json(self) -> Any:
        return json.loads(self.body)


def _without_chunks(body: bytes) -> bytes:
    joined = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        if not re.fullmatch(rb"[0-9a-f]+", size) or (length := int(size, 16)) == 0:
            break
        joined += rest[:length]
        body = rest[length + 2 :]
    return joined


def request_bytes(
    method: str, path: str, headers: tuple[tuple[str, str], ...] = (), body: bytes | None = None
) -> bytes:
    """Write one request; the connection closes after it unless `headers` say otherwise."""
    names = {name.lower() for name, _ in headers}
    lines = [f"{method} {path} HTTP/1.1"]
    lines += [] if "host" in names else ["Host: docker"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [] if "connection" in names else ["Connection: close"]
    if body is not None:
        lines += [] if "content-type" in names else ["Content-Type: application/json"]
        lines += [f"Content-Length: {len(body)}"]
    return "\r\n".join((*lines, "", "")).encode("latin-1") + (body or b"")


def open_connection(address: str | tuple[str, int]) -> socket.socket:
    """Connect to a Unix socket's path or to a TCP address."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Without a timeout: with one, a Unix socket whose queue is full fails at once.
        connection.connect(address)
        connection.settimeout(10)
    except OSError:
        connection.close()
        raise
    return connection


def exchange(address: str | tuple[str, int], sent: bytes, seconds: float) -> Answer:
    """Send bytes on a connection of their own and read until it closes, or for `seconds`."""
    began = time.monotonic()
    received = bytearray()
    with open_connection(address) as connection:
        connection.settimeout(seconds)
        # Refused before all of it was read, the answer may be there all the same.
        with suppress(OSError):
            connection.sendall(sent)
        deadline = began + seconds
        while (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            try:
                piece = connection.recv(65536)
            except OSError:
                break
            if not piece:
                break
            received += piece
    return Answer(bytes(received), time.monotonic() - began)
