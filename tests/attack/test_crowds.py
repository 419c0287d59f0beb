"""Many, slow and greedy clients: others are served, and the guard's memory stays bounded."""

import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import flooder
import pytest
from engine_socket import exchange, open_connection, request_bytes
from guard_lab import PARTS, POLICY, Lab
from guard_process import GuardProcess
from sessions_lab import LabSession, lab_session
from vectors import row

pytestmark = pytest.mark.engine

_HALF_BODY = (
    b"POST /v1.45/containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000000\r\n\r\n"
)
_MANY = 40
_MEMORY = 256 * 1024 * 1024


def _is_prompt(lab: Lab) -> bool:
    """Whether a ping is answered long before any of the slow ones is given up, which takes 10 s and more."""
    return lab.guard.answers(seconds=5)


def _crowd(lab: Lab, exits: ExitStack, sent: bytes, number: int) -> list[socket.socket]:
    crowd = []
    for _ in range(number):
        connection = exits.enter_context(open_connection(lab.guard.address))
        connection.settimeout(0.2)
        try:
            connection.sendall(sent)
        except OSError:
            continue
        crowd.append(connection)
    return crowd


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /v1.45/conta",
        b"GET /_ping HTTP/1.1\r\nHost: docker\r\nX-Slow: ",
        _HALF_BODY + b"{",
        _HALF_BODY + b" " * 100_000,
        b"GET /v1.45/events HTTP/1.1\r\nHost: docker\r\n\r\n",
    ],
    ids=["silent", "half-line", "half-head", "half-body", "big-half-body", "events"],
)
def test_slow_clients_do_not_keep_others_waiting(lab: Lab, sent: bytes) -> None:
    before = lab.guard.open_files()
    with ExitStack() as exits:
        _crowd(lab, exits, sent, 100)
        assert _is_prompt(lab)
    assert _is_prompt(lab)
    # A client may hold 192 connections: while the guard still has this crowd's, the next one takes too many.
    deadline = time.monotonic() + 5
    while lab.guard.open_files() > before + 50:
        assert time.monotonic() < deadline, "the guard still holds the connections of a crowd that hung up"
        time.sleep(0.02)


def test_memory_is_bounded_under_many_big_bodies(lab: Lab) -> None:
    body = json.dumps(row.container())[:-1].encode() + b" " * (9 * 2**20) + b"}"
    sent = request_bytes("POST", "/v1.45/containers/create?name=x", (), body)
    with ExitStack() as exits:
        _crowd(lab, exits, sent[: 4 * 2**20], 60)
        assert _is_prompt(lab)
    assert lab.guard.memory_bytes() < _MEMORY


def test_memory_is_bounded_under_answers_that_nobody_reads(lab: Lab) -> None:
    sent = request_bytes(
        "GET", f"{row.API}/containers/{lab.facts['TARGET_ID']}/json", (("Connection", "keep-alive"),)
    )
    with ExitStack() as exits:
        _crowd(lab, exits, sent * 2000, 40)
        assert _is_prompt(lab)
    assert lab.guard.memory_bytes() < _MEMORY


def _long_body(session: LabSession) -> bytes:
    """Return a collector's body that is about as long as one may be: an environment of almost 1 MiB."""
    value = "x" * (68 * 1024)
    return json.dumps(
        session.body(row.collector() | {"Env": [f"PART_{n}={value}" for n in range(PARTS)]})
    ).encode()


def test_memory_is_bounded_under_long_requests_and_long_answers_that_nobody_reads(lab: Lab) -> None:
    with lab_session(lab) as session, ExitStack() as exits:
        path, body = f"{row.API}/containers/create", _long_body(session)
        made = exchange(lab.guard.address, request_bytes("POST", path, (), body), 30)
        assert made.status == 201, made.message
        asking = request_bytes(
            "GET", f"{row.API}/containers/{made.json()['Id']}/json", (("Connection", "keep-alive"),)
        )
        listing = request_bytes("GET", f"{row.API}/containers/json?all=1", (("Connection", "keep-alive"),))
        following = request_bytes("GET", f"{row.API}/containers/{made.json()['Id']}/logs?stdout=1&follow=1")
        mark = lab.guard.log.stat().st_size
        _crowd(lab, exits, asking * 20, 60)
        _crowd(lab, exits, listing * 200, 20)
        _crowd(lab, exits, following, 20)
        _crowd(lab, exits, request_bytes("POST", f"{path}?name=dryrun-x", (), body), 60)
        assert _is_prompt(lab)
        assert any(line["rule"] == "crowd" for line in lab.guard.decisions(mark))
        other = request_bytes("GET", f"{row.API}/containers/{lab.facts['TARGET_ID']}/json")
    # What was held is given back when the connections are gone.
    deadline = time.monotonic() + 20
    while (again := exchange(lab.guard.address, other, 5).status) != 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert again == 200
    assert lab.guard.memory_bytes() < _MEMORY


def test_readers_of_one_log_are_few(lab: Lab) -> None:
    path = f"{row.API}/containers/{lab.facts['TARGET_ID']}/logs?stdout=1&follow=1"
    sent = request_bytes("GET", path, (("Connection", "keep-alive"),))
    with ExitStack() as exits:
        answers = []
        for reader in _crowd(lab, exits, sent, 20):
            reader.settimeout(20)
            answers.append(reader.recv(12)[9:12])
        assert (answers.count(b"200"), answers.count(b"503")) == (3, 17)
    assert _is_prompt(lab)


def test_answers_that_last_leave_room_for_other_requests_of_their_client(lab: Lab) -> None:
    path = f"{row.API}/containers/{lab.facts['TARGET_ID']}/wait"
    sent = request_bytes("POST", path, (("Connection", "keep-alive"),))
    with ExitStack() as exits:
        followers = _crowd(lab, exits, sent, 190)
        answers = []
        for follower in followers:
            follower.settimeout(20)
            answers.append(follower.recv(12))
        assert _is_prompt(lab)
        inspected = lab.guard.ask("GET", f"{row.API}/containers/{lab.facts['TARGET_ID']}/json")
        assert inspected.status == 200
    assert {answer[9:12] for answer in answers} == {b"200", b"503"}
    assert sum(answer.endswith(b"200") for answer in answers) >= 100


def test_calls_that_cost_the_engine_much_reach_it_a_few_at_a_time(lab: Lab) -> None:
    with (
        GuardProcess(
            lab.folder, lab.tap.path, lab.allowlist(), name="few", policy=POLICY | {"calls_at_once": 3}
        ) as guard,
        lab_session(lab, guard=guard) as session,
        ThreadPoolExecutor(8) as threads,
    ):
        made = [session.create(f"dryrun-attack-{lab.nonce}-few-{n}").json()["Id"] for n in range(8)]
        for call in ("POST /v1.45/containers/{}/start", "DELETE /v1.45/containers/{}?force=1"):
            mark = lab.tap.mark()
            lab.tap.swallowed = call.partition(" ")[0].encode() + b" /v1.45/containers/"
            try:
                answers = [threads.submit(guard.ask, *call.format(each).split()) for each in made]
                time.sleep(0.8)  # a removal that hangs holds its place for a second
                assert len(lab.tap.changes_since(mark)) == 3
            finally:
                # What was swallowed is given up: the guard's connections to the engine break.
                lab.tap.swallowed = b""
                lab.tap.close()
                lab.tap.open()
            assert {each.result().status for each in answers} <= {204, 503}


def test_lists_of_many_containers_reach_the_engine_a_few_at_a_time(lab: Lab) -> None:
    at_once = max(8, 4 * (os.cpu_count() or 1))
    with lab_session(lab) as session:
        body = session.body() | {"Image": lab.facts["IMAGE"]}
        for number in range(_MANY):
            lab.engine.must("POST", f"/containers/create?name=dryrun-{lab.nonce}-many-{number}", body)
        lab.tap.watched, lab.tap.most_watched = (
            b"/containers/json?all=1&",
            0,
        )  # as the guard asks for a client
        try:
            words = [sys.executable, flooder.__file__, str(lab.guard.address), "lists", "190", "2"]
            subprocess.run(words, check=True, timeout=30)
        finally:
            lab.tap.watched = b""
        # One that takes longer than a second makes room for another.
        assert at_once <= lab.tap.most_watched <= 2 * at_once
    assert _is_prompt(lab)


@pytest.mark.parametrize(
    ("kind", "watched"),
    [("references", b"GET /v1.45/containers/json?filters="), ("versions", b"GET /v1.45/version")],
)
def test_what_a_crowd_asks_alike_reaches_the_engine_once(lab: Lab, kind: str, watched: bytes) -> None:
    lab.tap.watched, lab.tap.most_watched = watched, 0
    try:
        words = [sys.executable, flooder.__file__, str(lab.guard.address), kind, "190", "2"]
        subprocess.run(words, check=True, timeout=30)
    finally:
        lab.tap.watched = b""
    # Beside it, the guard lists for itself what is due.
    assert 1 <= lab.tap.most_watched <= 2
    assert _is_prompt(lab)


def test_crowd_at_the_metrics_does_not_keep_clients_out(lab: Lab) -> None:
    with ExitStack() as exits:
        for _ in range(300):
            exits.enter_context(open_connection(("127.0.0.1", lab.guard.metrics_port)))
        assert _is_prompt(lab)
        # What is beyond the ceiling is accepted before it is closed.
        deadline = time.monotonic() + 5
        while (held := len(list(Path(f"/proc/{lab.guard.pid}/fd").iterdir()))) >= 200:
            assert time.monotonic() < deadline, f"{held} descriptors"
            time.sleep(0.05)
    page = exchange(("127.0.0.1", lab.guard.metrics_port), request_bytes("GET", "/metrics"), 5)
    assert page.status == 200
    assert b"docker_guard_decisions_total" in page.body


def test_engine_that_goes_and_comes_back_is_survived(lab: Lab) -> None:
    path = f"{row.API}/containers/{lab.facts['TARGET_ID']}/json"
    assert lab.guard.ask("GET", path).status == 200
    lab.tap.close()
    try:
        gone = exchange(lab.guard.address, request_bytes("GET", path), 10)
    finally:
        lab.tap.open()
    deadline = time.monotonic() + 10
    while (back := lab.guard.ask("GET", path).status) != 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert 500 <= gone.status < 600
    assert gone.message
    assert back == 200
