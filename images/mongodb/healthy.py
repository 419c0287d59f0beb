"""Counts the products over the wire. Plain sockets: a driver costs ten times the processor time."""

import socket
import struct
import sys


def string(name: bytes, value: bytes) -> bytes:
    return b"\x02" + name + b"\x00" + struct.pack("<i", len(value) + 1) + value + b"\x00"


def main() -> None:
    fields = string(b"count", b"products") + string(b"$db", b"catalog")
    document = struct.pack("<i", len(fields) + 5) + fields + b"\x00"
    body = struct.pack("<ib", 0, 0) + document
    with socket.create_connection(("127.0.0.1", 27017), timeout=1.5) as connection:
        connection.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, 2013) + body)
        reply = connection.recv(4096)
    sys.exit(b"\x10n\x00\x06\x00\x00\x00" not in reply)


if __name__ == "__main__":
    main()
