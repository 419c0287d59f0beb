"""Sends pipelined requests on many connections: `flooder.py ADDRESS KIND CONNECTIONS SECONDS`.

A program of its own, so that it has a processor to itself. `pings` is another client in the meantime: it asks
again and again on new connections, and prints how long each answer took.
"""

import json
import selectors
import socket
import sys
import time

_POST = (
    b"POST /v1.45/containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: "
)


def _posting(body: bytes) -> bytes:
    return _POST + str(len(body)).encode() + b"\r\n\r\n" + body


def _keys(number: int) -> bytes:
    return b'{"HostConfig":{' + b",".join(b'"%x":0' % each for each in range(number)) + b"}}"


REQUESTS = {
    "heads": b"HEAD /x HTTP/1.1\r\nHost: d\r\n\r\n",
    "parts": _posting(_keys(19_900)),
    "most-parts": _posting(_keys(3_900)),
    "endpoints": _posting(
        b'{"NetworkingConfig":{"EndpointsConfig":{'
        + b",".join(b'"%x":{"a":0}' % each for each in range(1_200))
        + b"}}}"
    ),
    "long": _posting(b'{"a":"' + b"x" * 2_000_000 + b'"}'),
    "escapes": _posting(b'{"Env":["' + b"\\u4e00" * 340_000 + b'"]}'),
    "lists": b"GET /v1.45/containers/json?all=1 HTTP/1.1\r\nHost: d\r\n\r\n",
    "references": b"GET /v1.45/containers/dryrun-nobody/json HTTP/1.1\r\nHost: d\r\n\r\n",
    "versions": b"GET /v1.45/version HTTP/1.1\r\nHost: d\r\n\r\n",
}
KINDS = (*REQUESTS, "mixed")


def connect(address: str, source: str = "") -> socket.socket:
    host, _, port = address.rpartition(":")
    if port.isdecimal():
        return socket.create_connection((host, int(port)), 30, (source, 0) if source else None)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    connection.connect(address)
    return connection


def flood(address: str, kind: str, number: int, seconds: float) -> None:
    """Keep `number` connections as full as they get."""
    kinds = list(REQUESTS) if kind == "mixed" else [kind]
    blobs = [REQUESTS[each] * max(1, 400_000 // len(REQUESTS[each])) for each in kinds]
    selector = selectors.DefaultSelector()

    def add(which: int) -> None:
        try:
            connection = connect(address)
        except OSError:
            return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE, [which, 0])

    for place in range(number):
        add(place % len(blobs))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for found, ready in selector.select(1):
            connection, (which, sent) = found.fileobj, found.data
            assert isinstance(connection, socket.socket)
            try:
                if ready & selectors.EVENT_READ and not connection.recv(1 << 18):
                    raise ConnectionResetError
                if ready & selectors.EVENT_WRITE:
                    found.data[1] = (sent + connection.send(blobs[which][sent:])) % len(blobs[which])
            except BlockingIOError:
                continue
            except OSError:
                selector.unregister(connection)
                connection.close()
                add(which)


def pings(address: str, seconds: float, source: str = "") -> None:
    """Print as JSON how many seconds each ping took; one that is not answered took all of its 30."""
    took = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        try:
            with connect(address, source) as connection:
                connection.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
                is_answered = connection.recv(65536).startswith(b"HTTP/1.1 200")
        except OSError:
            is_answered = False
        took.append(time.monotonic() - begun if is_answered else 30.0)
        time.sleep(0.02)
    print(json.dumps(took))  # noqa: T201 - its output


if __name__ == "__main__":
    if sys.argv[2] == "pings":
        pings(sys.argv[1], float(sys.argv[3]), *sys.argv[4:])
    else:
        flood(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
