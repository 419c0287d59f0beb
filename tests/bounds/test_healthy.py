"""The program that asks targets whether they are ready, without an engine."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from built_healthy import HealthCheck
from target_container import REPOSITORY

IMAGES = REPOSITORY / "images"
STEP = re.compile(
    r"(tcp|udp) [1-9]\d{0,4}|unix /\S+|file /\S+ .+|run .+|(send|hear) ([^\\]|\\([rn0\\]|x[0-9a-f]{2}))+"
)


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> HealthCheck:
    return HealthCheck(tmp_path_factory.mktemp("healthy"))


@contextmanager
def served(answer: Callable[[socket.socket], None], *, after: float = 0.0) -> Iterator[int]:
    """Serve connections on a port that opens `after` seconds."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))

        def serve() -> None:
            time.sleep(after)
            listening.listen()
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    answer(connection)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
        serving.join(5)


def echo(connection: socket.socket) -> None:
    connection.sendall(b"said " + connection.recv(100) + b" end")


def test_an_answer_in_order_is_healthy(check: HealthCheck) -> None:
    with served(echo) as port:
        question = (
            f"# A comment.\ntcp {port}\nsend \\x00\\0\\\\\\r\\n!\nhear said \\0\\x00\nhear \\\\\\r\\n! end\n"
        )
        said = check.ask(question, 2)
        again = check.ask(f"tcp {port}\nsend x\nhear end\nhear said\n", 0.2)
    assert (said.returncode, said.stdout) == (0, "")
    assert (again.returncode, again.stdout) == (1, "hear said: another answer\n")


def test_it_sees_a_service_become_ready(check: HealthCheck) -> None:
    with served(echo, after=0.4) as port:
        begun = time.monotonic()
        assert check.ask(f"tcp {port}\nsend x\nhear end\n", 8).returncode == 0
        # A whole interval of the engine would be longer.
        assert 0.3 < time.monotonic() - begun < 2


def test_it_asks_anew_after_another_answer(check: HealthCheck) -> None:
    answers = iter([b"loading", b"loading", b"ready"])
    with served(lambda connection: connection.sendall(next(answers))) as port:
        assert check.ask(f"tcp {port}\nhear ready\n", 8).returncode == 0


def test_silence_ends_with_its_patience(check: HealthCheck) -> None:
    with served(lambda connection: time.sleep(1)) as port:
        begun = time.monotonic()
        said = check.ask(f"tcp {port}\nhear x\n", 0.3)
    assert (said.returncode, said.stdout) == (1, "hear x: no such answer in time\n")
    assert time.monotonic() - begun < 3


def test_nobody_there_is_said(check: HealthCheck) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        said = check.ask(f"tcp {unused.getsockname()[1]}\n", 0)
    assert said.returncode == 1
    assert "Connection refused" in said.stdout


def test_a_flood_is_no_answer(check: HealthCheck) -> None:
    def flood(connection: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection.sendall(b"x" * 65536)

    with served(flood) as port:
        said = check.ask(f"tcp {port}\nhear y\n", 0.2)
    assert said.stdout == "hear: too long an answer\n"


def test_a_datagram_is_sent_again_and_answered_from_another_port(check: HealthCheck) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as door, socket.socket(type=socket.SOCK_DGRAM) as other:
        door.bind(("127.0.0.1", 0))
        door.settimeout(10)
        other.bind(("127.0.0.1", 0))
        other.settimeout(10)
        heard: list[bytes] = []

        def serve() -> None:
            door.recvfrom(100)  # the first one is dropped
            _, asking = door.recvfrom(100)
            other.sendto(b"data", asking)
            heard.append(other.recvfrom(100)[0])

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        said = check.ask(f"udp {door.getsockname()[1]}\nsend ask\nhear data\nsend taken\n", 5)
        serving.join(10)
    assert (said.returncode, heard) == (0, [b"taken"])


def test_files_and_commands(check: HealthCheck) -> None:
    assert check.ask(f"file {check.question} ready\nrun test -e {check.question}\n", 0).returncode == 0
    assert check.ask("file /nonexistent ready\n", 0).stdout == (
        "file /nonexistent ready: No such file or directory\n"
    )
    assert check.ask("run exit 7\n", 0).stdout == "run exit 7: exit code 7\n"


@pytest.mark.parametrize(
    ("question", "fault"),
    [
        ("", "asks nothing"),
        ("knock 80\n", "knock: is not a step"),
        ("tcp\n", "tcp: is not a step with what it takes"),
        ("send \\q\n", "an unknown escape"),
        ("send \\x1\n", "takes two hex digits"),
        ("send \\", "an unknown escape"),
        ("tcp 1\n" * 33, "more than 32 steps"),
        ("#" * 9000, "too long"),
        ("send x\n", "Bad file descriptor"),
        ("hear x\n", "hear x"),
    ],
)
def test_a_faulty_question_is_never_healthy(check: HealthCheck, question: str, fault: str) -> None:
    said = check.ask(question, 0)
    assert (said.returncode, said.stderr) == (1, "")
    assert fault in said.stdout


def test_who_has_a_question_has_the_program_and_who_runs_it_a_question() -> None:
    for path in sorted(IMAGES.glob("*/Dockerfile")):
        text, question = path.read_text(), path.parent / "healthy"
        if question.is_dir():
            continue
        runs_it = 'CMD ["/usr/local/bin/healthy"]' in text
        # What inherits the program has a question of its own at most.
        assert runs_it == ("discovery/healthy:1" in text), path
        assert not runs_it or question.is_file(), path
    for path in IMAGES.glob("*/healthy"):
        if path.is_file():
            steps = [line for line in path.read_text().splitlines() if not line.startswith("#")]
            assert [step for step in steps if not STEP.fullmatch(step)] == [], path
            assert steps, path
