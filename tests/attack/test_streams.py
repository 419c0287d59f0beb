"""Events and logs: what a client that only listens may learn."""

import json
import threading
import time
from typing import Any

import pytest
from engine_socket import Answer, open_connection, request_bytes
from guard_lab import Lab
from sessions_lab import lab_session
from vectors import row
from witness import leaks

pytestmark = pytest.mark.engine

_SUBSCRIPTIONS = {
    "plain": "",
    "containers-and-networks": "?filters=%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%7D",
    "images-and-volumes": "?filters=%7B%22type%22%3A%5B%22image%22%2C%22volume%22%2C%22daemon%22%5D%7D",
    "by-victims-label": "?filters=%7B%22label%22%3A%5B%22attack.victim%22%5D%7D",
    "by-victims-id": "?filters=%7B%22container%22%3A%5B%22{VICTIM_ID}%22%5D%7D",
    "by-image": "?filters=%7B%22image%22%3A%5B%22{OUTSIDE_NAME}%22%5D%7D",
    "past": "?since=0",
    "past-until-now": "?since=0&until={NOW}",
}


@pytest.fixture(scope="module")
def heard(lab: Lab) -> dict[str, tuple[bytes, Answer]]:
    """What each subscription received while victims and a session of one's own came and went."""
    answers: dict[str, tuple[bytes, Answer]] = {}
    listening = threading.Semaphore(0)
    all_has_happened = threading.Event()

    def listen(name: str, query: str) -> None:
        path = f"{row.API}/events{query.format(**lab.facts, NOW=int(time.time()) + 3)}"
        sent, received = request_bytes("GET", path), bytearray()
        with open_connection(lab.guard.address) as connection:
            connection.sendall(sent)
            received += connection.recv(65536)  # an answer begins before anything happens
            listening.release()
            connection.settimeout(1)
            while True:
                try:
                    piece = connection.recv(65536)
                except TimeoutError:
                    if all_has_happened.is_set():
                        break
                    continue
                if not piece:
                    break
                received += piece
        answers[name] = (sent, Answer(bytes(received), 0))

    threads = [threading.Thread(target=listen, args=found) for found in _SUBSCRIPTIONS.items()]
    for thread in threads:
        thread.start()
    assert all(listening.acquire(timeout=20) for _ in threads)
    try:
        _victims_come_and_go(lab)
        with lab_session(lab) as session:
            made = session.create(f"dryrun-attack-{lab.nonce}-heard").json()["Id"]
            lab.guard.must("POST", f"{row.API}/containers/{made}/start")
    finally:
        all_has_happened.set()
        for thread in threads:
            thread.join()
    return answers


def _victims_come_and_go(lab: Lab) -> None:
    body: dict[str, Any] = {
        "Image": lab.facts["OUTSIDE_ID"],
        "Labels": {"attack.victim": lab.nonce, "discovery.dryrun.session_id": f"{lab.facts['SESSION']}-x"},
        "HostConfig": {"NetworkMode": lab.facts["VICTIM_NETWORK"]},
    }
    name = f"passing-by-{lab.nonce}"
    made = lab.engine.must("POST", f"/containers/create?name={name}", body)["Id"]
    lab.secrets += [made.encode(), name.encode()]
    lab.engine.must("POST", f"/containers/{made}/start")
    lab.engine.remove_container(made)
    network = lab.engine.must("POST", "/networks/create", {"Name": name, "Internal": True})["Id"]
    lab.secrets.append(network.encode())
    lab.engine.remove_network(network)


@pytest.mark.parametrize("name", _SUBSCRIPTIONS)
def test_events_do_not_mention_foreign_objects(
    name: str, lab: Lab, heard: dict[str, tuple[bytes, Answer]]
) -> None:
    sent, answer = heard[name]
    assert not list(leaks(lab, sent, answer))
    assert answer.status == 200 or answer.status in row.REFUSED


def test_events_report_the_sessions_own_objects(heard: dict[str, tuple[bytes, Answer]]) -> None:
    _, answer = heard["containers-and-networks"]
    events = [json.loads(line) for line in answer.body.splitlines() if line.strip()]
    assert {"create", "start", "destroy"} <= {
        event["Action"] for event in events if event["Type"] == "container"
    }


def test_own_log_is_passed_through_byte_by_byte(lab: Lab) -> None:
    path = f"{row.API}/containers/{lab.facts['TARGET_ID']}/logs?stdout=1&stderr=1"
    answer = lab.guard.ask("GET", path)
    assert answer.body == lab.engine.get(path.removeprefix(row.API)) == b"\x01\0\0\0\0\0\0\x06ready\n"
