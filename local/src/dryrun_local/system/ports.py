"""Ports of this machine that nobody uses, for services that listen on one a little later."""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def reserved_ports(*wanted: int) -> Iterator[tuple[int, ...]]:
    """Give the block a free loopback port for each wanted one, which it alone has, as in `free_ports`.

    Services listen seconds later. Until then an installation that starts beside this one would take the same
    port for a free one, and its clients would ask this one's API.
    """
    with ExitStack() as reserved:
        yield tuple(_reserve(port, reserved) for port in wanted)


def _reserve(wanted: int, reserved: ExitStack) -> int:
    while True:
        (port,) = free_ports(wanted)
        mark = reserved.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            # An abstract name: of this network namespace, as the port, and freed with its holder.
            mark.bind(f"\0dryrun-local-port-{port}")
        except OSError as error:
            _expect_taken(error)
            wanted = 0
        else:
            return port


def free_ports(*wanted: int) -> tuple[int, ...]:
    """Return a free loopback port for each wanted one: that one, or any other if it is taken."""
    sockets = []
    try:
        for port in wanted:
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sockets.append(listener)
            # As servers do: a port in TIME_WAIT counts as free.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
                listener.listen(1)  # with this option two may bind, but only one may listen
            except OSError as error:
                _expect_taken(error)
                listener.close()
                sockets[-1] = listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                listener.bind(("127.0.0.1", 0))
        return tuple(listener.getsockname()[1] for listener in sockets)
    finally:
        for listener in sockets:
            listener.close()


def _expect_taken(error: OSError) -> None:
    """Raise any other error: it would be the same for the next port."""
    if error.errno != errno.EADDRINUSE:
        raise error
