"""A host on which thousands of TCP ports answer, as a SYN proxy does: it accepts, and closes at once."""

import errno
import os
import resource
import select
import signal
import socket
import sys

PORTS = range(1, 10_001)
AT_ONCE = 1000


def listen(port: int) -> int | None:
    """Return the open port's descriptor; None where the engine's own name server listens already."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(("", port))
        server.listen(8)
    except OSError as error:
        server.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    # A number is enough: an object for each port would take memory.
    return server.detach()


def close_connections(descriptor: int) -> None:
    server = socket.socket(fileno=descriptor)
    try:
        for _ in range(AT_ONCE):
            server.accept()[0].close()
    except BlockingIOError:
        pass
    except OSError as error:
        print(f"a connection was lost: {error}", file=sys.stderr, flush=True)
    finally:
        server.detach()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    # Orphans of the health check.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    poll = select.epoll()
    for port in PORTS:
        descriptor = listen(port)
        if descriptor is not None:
            poll.register(descriptor, select.EPOLLIN)
    print(f"{len(PORTS)} ports answer", flush=True)
    while True:
        for descriptor, _ in poll.poll(maxevents=AT_ONCE):
            close_connections(descriptor)


if __name__ == "__main__":
    main()
