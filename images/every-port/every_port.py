"""A host in front of which every TCP port answers, as a SYN proxy's does: it accepts, and closes at once.

A port is an open file, and a process has some thousands at most, so a few processes share the ports.
"""

import errno
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Sequence

PORTS = range(1, 65536)
PROCESSES = 4
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
    # A number is enough: objects for all ports would take another 20 MB.
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


def answer(ports: Sequence[int]) -> None:
    poll = select.epoll()
    for port in ports:
        descriptor = listen(port)
        if descriptor is not None:
            poll.register(descriptor, select.EPOLLIN)
    print(f"{len(ports)} ports answer", flush=True)
    while True:
        for descriptor, _ in poll.poll(maxevents=AT_ONCE):
            close_connections(descriptor)


def main() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    parts = [PORTS[number::PROCESSES] for number in range(PROCESSES)]
    children = []
    for part in parts[1:]:
        child = os.fork()
        if not child:
            answer(part)
        children.append(child)

    def stop(*_: object) -> None:
        for child in children:
            os.kill(child, signal.SIGTERM)
        os._exit(0)

    def bury(*_: object) -> None:
        while (dead := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            # Without one of them some ports would not answer. Others are orphans of the health check.
            if dead in children:
                os._exit(1)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGCHLD, bury)
    answer(parts[0])


if __name__ == "__main__":
    main()
