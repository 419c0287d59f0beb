"""Stands between guard and engine and writes down what the guard asks: a witness, never a judge.

The engine's content decides whether an attack succeeded; the tap shows whose doing a new object is while
others use the same engine, and can be closed as if the engine had gone.
"""

import re
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

_CHANGES = re.compile(rb"((?:POST|PUT|PATCH|DELETE) \S+) HTTP/1\.1\r\n")
_MADE = re.compile(rb'"Id":"([0-9a-f]{64})","Warning')
"""In the engine's answer to a create, of a container or of a network."""


class EngineTap:
    """Passes bytes between a Unix socket of its own and the engine's."""

    def __init__(self, path: Path, engine: str) -> None:
        self.path = path
        self._engine = engine
        self._lock = threading.Lock()
        self._heard = bytearray()
        self._made: set[str] = set()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.swallowed = b""
        """Requests with these bytes in them never arrive, as with an engine that hangs in one call."""
        self.watched = b""
        """Counts requests with these bytes in them while the engine works on them."""
        self.most_watched = 0
        self._watched: set[socket.socket] = set()
        self.altered = (b"", b"")
        """What the engine answers, and what the guard gets in its place, at the same length."""

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.path))
        self.path.chmod(0o666)
        listener.listen(256)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self) -> None:
        """Cut every connection and take no new ones, as an engine that stops does."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.path.unlink(missing_ok=True)
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            _end(connection)

    def mark(self) -> int:
        """Return the place in the record from which `changes_since` reads."""
        with self._lock:
            return len(self._heard)

    def heard_since(self, mark: int) -> bytes:
        with self._lock:
            return bytes(self._heard[mark:])

    def changes_since(self, mark: int) -> list[str]:
        """Return methods and paths of calls that may change something, in order."""
        return [call.decode("latin-1") for call in _CHANGES.findall(self.heard_since(mark))]

    def made(self, identity: str) -> bool:
        """Whether the engine made a container or network of this id because this guard asked for it."""
        with self._lock:
            return identity in self._made

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            engine.connect(self._engine)
            with self._lock:
                self._open |= {client, engine}
            threading.Thread(target=self._pass, args=(client, engine, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(engine, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, is_request: bool) -> None:
        try:
            while piece := source.recv(65536):
                with self._lock:
                    if is_request:
                        self._heard += piece
                        if self.watched and self.watched in piece:
                            self._watched.add(source)
                            self.most_watched = max(self.most_watched, len(self._watched))
                    else:
                        self._watched.discard(sink)
                        self._made |= {found.decode() for found in _MADE.findall(piece)}
                        piece = piece.replace(*self.altered)
                if not (is_request and self.swallowed and self.swallowed in piece):
                    sink.sendall(piece)
        except OSError:
            pass
        finally:
            _end(source)
            _end(sink)
            with self._lock:
                self._open -= {source, sink}
                self._watched -= {source, sink}


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
