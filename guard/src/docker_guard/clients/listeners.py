"""Opens the sockets that clients connect to: a Unix socket for a group, or a TCP port."""

import asyncio
import os
import socket
import stat
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from docker_guard.rules.policy import ConfigurationError

BACKLOG = 1024
"""Pending connections; asyncio's servers need it as an argument of their own."""
SOCKET_MODE = 0o660
_PAUSE_SECONDS = 0.1
"""Before the next attempt, when no connection could be accepted."""


def parse_listen(text: str) -> tuple[str, str, int]:
    """Split `unix:///path` or `tcp://HOST:PORT` into scheme, place, port. Raises ConfigurationError."""
    scheme, _, place = text.partition("://")
    if scheme == "unix" and place.startswith("/"):
        return scheme, place, 0
    host, _, port = place.rpartition(":")
    if scheme == "tcp" and host and port.isdecimal() and int(port) < 65536:
        return scheme, host.strip("[]"), int(port)
    raise ConfigurationError(f"{text!r} is neither unix:///PATH nor tcp://HOST:PORT")


def open_listener(text: str) -> socket.socket:
    """Open the socket. Raises ConfigurationError, also when another process serves a Unix socket there."""
    scheme, place, port = parse_listen(text)
    try:
        return _open_unix(Path(place)) if scheme == "unix" else _open_tcp(place, port)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {text}: {error}") from None


async def take_connections(
    listener: socket.socket, let_in: Callable[[socket.socket], Coroutine[Any, Any, None]]
) -> None:
    """Run `let_in` for every connection, until cancelled; unfinished ones are then broken off.

    Each iteration accepts every pending connection. The loop's own servers accept one per iteration (libuv
    since 1.45), and a crowd makes iterations long: a client behind it would wait for one per connection.
    """
    loop = asyncio.get_running_loop()
    entering: set[asyncio.Task[None]] = set()

    def begin(connection: socket.socket) -> None:
        task = loop.create_task(let_in(connection))
        entering.add(task)
        task.add_done_callback(entering.discard)

    listener.setblocking(False)
    try:
        while True:
            try:
                begin((await loop.sock_accept(listener))[0])
                for _ in range(BACKLOG):
                    begin(listener.accept()[0])
            except (BlockingIOError, ConnectionAbortedError):
                continue
            except OSError:  # out of file descriptors, for example
                await asyncio.sleep(_PAUSE_SECONDS)
    finally:
        listener.close()
        for task in list(entering):
            task.cancel()
        await asyncio.gather(*entering, return_exceptions=True)


def _open_tcp(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def _open_unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            _remove_stale(path)
        old = os.umask(0o777 & ~SOCKET_MODE)
        try:
            listener.bind(str(path))
        finally:
            os.umask(old)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError("another process listens there")
