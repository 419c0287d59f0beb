"""Opens the sockets that clients connect to: a Unix socket for a group, or a TCP port."""

import os
import socket
import stat
from pathlib import Path

from docker_guard.policy import ConfigurationError

BACKLOG = 1024
"""Connections that wait to be taken; asyncio's servers have to be told it again."""
SOCKET_MODE = 0o660


def parse_listen(text: str) -> tuple[str, str, int]:
    """Read `unix:///path` or `tcp://HOST:PORT` into scheme, place, port. Raises ConfigurationError."""
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
