"""What a stranger does who can open connections to a port and has no credential: a process of its own.

`python strangers.py KIND HOST PORT SECONDS SOURCE` runs one kind until its time is over, from the address
SOURCE (of 127.0.0.0/8), and prints a JSON object with what it got. Its requests cost nobody but the service:
it runs at the lowest priority, as an attacker's own machine would not be this one.
"""

import json
import os
import random
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MIB = 1024 * 1024
HOST = b"Host: victim\r\n"
JSON = b"application/json"
VALUES = b"[" + b"[]," * (4 * MIB // 3 - 2) + b"[]]"
"""4 MiB that are 1.4 million values."""


@dataclass(frozen=True)
class Kind:
    """So many connections at a time, each of which sends what `words` yields, until it is thrown out."""

    connections: int
    words: Callable[[], Iterator[bytes]]
    drips: bytes = b""
    """Sent a byte a second when all is said."""


def _again(request: bytes) -> Iterator[bytes]:
    pipelined = request * max(1, 65536 // len(request))
    while True:
        yield pipelined


def _unknown_routes() -> Iterator[bytes]:
    while True:
        paths = (b"/%x/%s" % (random.getrandbits(64), b"x" * 200) for _ in range(200))
        yield b"".join(b"GET %s HTTP/1.1\r\n%s\r\n" % (path, HOST) for path in paths)


def _methods() -> Iterator[bytes]:
    while True:
        yield b"%s /livez HTTP/1.1\r\n%s\r\n" % (b"A" * 60_000 + b"%x" % random.getrandbits(64), HOST)


def _short_methods() -> Iterator[bytes]:
    while True:
        yield b"".join(b"M%X /livez HTTP/1.1\r\n%s\r\n" % (random.getrandbits(64), HOST) for _ in range(200))


def _post(
    path: bytes, body: bytes, *, length: int | None = None, kind: bytes = JSON, method: bytes = b"POST"
) -> bytes:
    length = len(body) if length is None else length
    head = b"%s %s HTTP/1.1\r\n%sContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
    return head % (method, path, HOST, kind, length) + body


def _once(words: bytes) -> Iterator[bytes]:
    yield words


def _chunks() -> Iterator[bytes]:
    yield (
        b"POST /api/v1/login HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    while True:
        yield b"1\r\n[\r\n" * 10_000


SESSION = b"/sessions/00000000-0000-4000-8000-000000000000"
REPORT = b"/api/v1/production/discoveries"
SIGN_IN = b"name=nobody&password=" + b"x" * 64
KINDS = {
    "connections": Kind(1000, lambda: _once(b"")),
    "half-heads": Kind(400, lambda: _once(b"GET / HTTP/1.1\r\nX-Slow: "), drips=b"x"),
    "headers": Kind(20, lambda: _again(b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 4000 + b"\r\n")),
    "methods": Kind(20, _methods),
    "many-methods": Kind(20, _short_methods),
    "unknown-routes": Kind(20, _unknown_routes),
    "pipelined": Kind(50, lambda: _again(b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n")),
    "pages": Kind(20, lambda: _again(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")),
    "metrics": Kind(20, lambda: _again(b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n")),
    "ready": Kind(20, lambda: _again(b"GET /readyz HTTP/1.1\r\n" + HOST + b"\r\n")),
    "stalled-bodies": Kind(
        200, lambda: _once(_post(REPORT, VALUES[: 4 * MIB - 1000], length=4 * MIB)), drips=b" "
    ),
    "values": Kind(20, lambda: _again(_post(REPORT, VALUES))),
    "chunks": Kind(20, _chunks),
    "sign-ins": Kind(
        20, lambda: _again(_post(b"/sign-in", SIGN_IN, kind=b"application/x-www-form-urlencoded"))
    ),
    "logins": Kind(20, lambda: _again(_post(b"/api/v1/login", b'{"name":"nobody","password":"x"}'))),
    "huge-bodies": Kind(20, lambda: _once(_post(SESSION, VALUES * 25, method=b"PUT"))),
}


class Connection:
    """One of the stranger's."""

    def __init__(self, kind: Kind, address: tuple[str, int], source: str) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.bind((source, 0))
        self.socket.connect_ex(address)
        self._words = kind.words()
        self._drips = kind.drips
        self._left = memoryview(b"")
        self._dripped_at = time.monotonic()
        self.is_done = False
        """All is said."""

    def receive(self) -> int:
        """Return how many bytes were read. Raises OSError when the other side has closed."""
        answered = self.socket.recv(262144)
        if not answered:
            raise ConnectionAbortedError
        return len(answered)

    def send(self) -> None:
        """Send on. Raises OSError when the other side has closed."""
        if self.is_done:
            if self._drips and time.monotonic() - self._dripped_at > 1:
                self._dripped_at = time.monotonic()
                self.socket.send(self._drips)
            return
        if not self._left:
            following = next(self._words, None)
            self.is_done = following is None
            self._left = memoryview(following or b"")
        self._left = self._left[self.socket.send(self._left[:262144]) :]


class Stranger:
    """All connections of one kind, and what became of them."""

    def __init__(self, kind: Kind, address: tuple[str, int], source: str) -> None:
        self._open_one = lambda: Connection(kind, address, source)
        self._most = kind.connections
        self._selector = selectors.DefaultSelector()
        self._opened: set[Connection] = set()
        self.tally = {"opened": 0, "thrown_out": 0, "bytes_answered": 0}

    def run(self, seconds: float) -> None:
        """Go on until `seconds` are over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            # At most fifty new ones a turn: one that is thrown out at once comes again, but not as a storm.
            for _ in range(min(50, self._most - len(self._opened))):
                self._open()
            for key, events in self._selector.select(0.1):
                self._serve(key.data, events)
            if all(connection.is_done for connection in self._opened):
                time.sleep(0.02)
        for connection in self._opened:
            connection.socket.close()

    def _open(self) -> None:
        try:
            connection = self._open_one()
        except OSError:
            return  # no port is left at this moment
        self.tally["opened"] += 1
        self._opened.add(connection)
        self._selector.register(connection.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)

    def _serve(self, connection: Connection, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                self.tally["bytes_answered"] += connection.receive()
            if events & selectors.EVENT_WRITE:
                connection.send()
        except BlockingIOError:
            return
        except OSError:
            self.tally["thrown_out"] += 1
            self._selector.unregister(connection.socket)
            connection.socket.close()
            self._opened.discard(connection)


def main() -> None:
    """Entrance of the process."""
    kind, host, port, seconds, source = sys.argv[1:]
    os.nice(19)
    stranger = Stranger(KINDS[kind], (host, int(port)), source)
    stranger.run(float(seconds))
    sys.stdout.write(json.dumps(stranger.tally) + "\n")


if __name__ == "__main__":
    main()
