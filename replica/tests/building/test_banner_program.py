"""The program that stands in for ports nobody can name, over real sockets on the loopback."""

import base64
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "images" / "recipes" / "host" / "banner.py"
QUESTIONS = (b"\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", b"HELP\r\n")


@contextmanager
def listening(folder: Path, *, answer: bytes = b"", hangs_up: str = "when asked") -> Iterator[socket.socket]:
    """Yield a connection to a port that the program opened; no question is needed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    row = {"transport": "tcp", "address": "127.0.0.1", "port": port, "question": "", "hangs_up": hangs_up}
    file = folder / "banners.json"
    file.write_text(json.dumps([row | {"answer": base64.b64encode(answer).decode()}]))
    process = subprocess.Popen([sys.executable, "-ISs", str(PROGRAM), str(file)])
    try:
        with connected(port) as connection:
            yield connection
    finally:
        process.kill()
        process.wait()


def connected(port: int) -> socket.socket:
    end = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5)
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.02)


def test_a_mute_port_hears_every_question_and_keeps_the_connection(tmp_path: Path) -> None:
    with listening(tmp_path, hangs_up="never") as connection:
        connection.settimeout(0.2)
        for question in QUESTIONS:
            connection.sendall(question)
            with pytest.raises(TimeoutError):
                connection.recv(1)


def test_a_port_that_answers_what_nobody_knows_hangs_up_when_it_is_asked(tmp_path: Path) -> None:
    with listening(tmp_path) as connection:
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(5)
        connection.sendall(QUESTIONS[0])
        assert connection.recv(1) == b""


def test_a_banner_is_sent_once_and_the_connection_closed_after_the_next_question(tmp_path: Path) -> None:
    with listening(tmp_path, answer=b"Tool 4.2\r\n") as connection:
        assert connection.recv(100) == b"Tool 4.2\r\n"
        connection.sendall(QUESTIONS[0])
        assert connection.recv(1) == b""


def test_a_wrapped_port_closes_at_once(tmp_path: Path) -> None:
    with listening(tmp_path, hangs_up="at once") as connection:
        assert connection.recv(1) == b""
