"""What a second request, another client or the operator may change between the guard's check and its act."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from urllib.parse import quote

import pytest
from engine_socket import EngineSocket, open_connection, request_bytes
from guard_lab import POLICY, SESSION_LABEL, Lab, timestamp
from guard_process import GuardProcess
from sessions_lab import LabSession, lab_session
from vectors import row

pytestmark = pytest.mark.engine

_TARGETS = 20
_COLLECTORS = 2
_UUID_LENGTH = 36


@contextmanager
def again_and_again(act: Callable[[], object]) -> Iterator[None]:
    """Do something in a thread of its own for the time of the block, at most ten seconds."""
    done = threading.Event()
    faults: list[BaseException] = []

    def work() -> None:
        deadline = time.monotonic() + 10
        try:
            while not done.is_set() and time.monotonic() < deadline:
                act()
        except BaseException as fault:  # noqa: BLE001 - handed to the test below
            faults.append(fault)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert not faults, faults


def at_once[T](acts: list[Callable[[], T]]) -> list[T]:
    with ThreadPoolExecutor(len(acts)) as pool:
        return [job.result() for job in [pool.submit(act) for act in acts]]


def test_retag_between_check_and_use_changes_nothing(lab: Lab) -> None:
    name, image, outside = lab.facts["IMAGE_NAME"], lab.facts["IMAGE"], lab.facts["OUTSIDE_ID"]
    repository, _, tag = name.rpartition(":")
    operator = EngineSocket()

    def flip() -> None:
        for target in (outside, image):
            operator.must("POST", f"/images/{target}/tag?repo={repository}&tag={tag}")

    body = row.container(Image="@IMAGE_NAME@")
    with lab_session(lab) as session:
        try:
            with again_and_again(flip):
                answers = [session.create(f"dryrun-attack-{lab.nonce}-tag-{n}", body) for n in range(19)]
        finally:
            operator.close()
            lab.tag(image, name)
        made = [lab.engine.get(f"/containers/{container}/json") for container in session.ids()]
        assert {answer.status for answer in answers} <= {201, 403}
        assert {document["Image"] for document in made} <= {image}
        assert len(made) == sum(answer.status == 201 for answer in answers)


def test_network_made_again_while_containers_are_created_gets_none_of_the_first_one(lab: Lab) -> None:
    for number in range(6):
        with lab_session(lab) as session:
            (network,) = session.ids("networks")

            def run(number: int = number) -> int:
                made = session.create(f"dryrun-attack-{lab.nonce}-again-{number}-{threading.get_ident()}")
                if made.status != 201:
                    return made.status
                return lab.guard.ask("POST", f"{row.API}/containers/{made.json()['Id']}/start").status

            def remove(pause: float = 0.01 * number, network: str = network) -> int:
                time.sleep(pause)
                return lab.guard.ask("DELETE", f"{row.API}/networks/{network}").status

            def make_again(pause: float = 0.02 * number) -> int:
                time.sleep(pause)
                return lab.guard.ask("POST", row.CREATE_NETWORK, session.network_body()).status

            at_once([run, run, run, remove, make_again, make_again])
            now = session.ids("networks")
            assert len(now) <= 1
            for container in session.ids():
                lab.guard.ask("POST", f"{row.API}/containers/{container}/start")
                found = lab.engine.get(f"/containers/{container}/json")
                on = [each["NetworkID"] for each in found["NetworkSettings"]["Networks"].values()]
                assert not found["State"]["Running"] or on == now


def test_what_clients_give_up_and_clean_up_does_not_come_back(lab: Lab) -> None:
    policy = POLICY | {"calls_at_once": 2}
    with (
        GuardProcess(lab.folder, lab.tap.path, lab.allowlist(), name="left", policy=policy) as guard,
        lab_session(lab, guard=guard) as session,
    ):
        path = f"{row.API}/containers/create?name=dryrun-attack-{lab.nonce}-left"
        body = json.dumps(session.body()).encode()
        listing = f"{row.API}/containers/json?all=1&filters={quote(json.dumps({'label': [session.label]}))}"
        # On a busy machine they may all be created before any client leaves.
        for attempt in range(5):
            creating = [open_connection(guard.address) for _ in range(_TARGETS)]
            for number, connection in enumerate(creating):
                connection.sendall(request_bytes("POST", f"{path}-{attempt}-{number}", (), body))
            time.sleep(0.05)
            for connection in creating:
                connection.close()
            for _ in range(2):  # two creations may be under way at the engine, and are followed to their end
                for found in guard.ask("GET", listing).json():
                    guard.must("DELETE", f"{row.API}/containers/{found['Id']}?force=1")
                time.sleep(0.3)
            assert not session.ids()
            if "left" in {line["rule"] for line in guard.decisions()}:
                break
        assert "left" in {line["rule"] for line in guard.decisions()}
        # Nobody holds a place any more.
        again = at_once(
            [partial(session.create, f"{path.partition('=')[2]}-{n}-again") for n in range(_TARGETS)]
        )
        assert {answer.status for answer in again} == {201}


def test_name_that_passes_to_a_foreign_container_is_not_followed(lab: Lab) -> None:
    name = f"dryrun-attack-{lab.nonce}-reused"
    operator = EngineSocket()
    foreign: list[str] = []

    def take_the_name() -> None:
        status, answer = operator.call(
            "POST", f"/containers/create?name={name}", {"Image": lab.facts["OUTSIDE_ID"]}
        )
        if status == 201:
            foreign.append(answer["Id"])
            time.sleep(0.03)
            # Renamed, not removed: whoever is missing at the end was removed through the guard.
            operator.must("POST", f"/containers/{answer['Id']}/rename?name={name}-{len(foreign)}")

    try:
        with lab_session(lab) as session, again_and_again(take_the_name):
            for _ in range(25):
                session.create(name)
                for path in (f"/containers/{name}?force=1&v=1", f"/containers/{name}?force=1&v=1"):
                    lab.guard.ask("DELETE", row.API + path)
        assert foreign
        left = {found["Id"] for found in lab.engine.containers()}
        assert set(foreign) <= left
    finally:
        operator.close()
        for container in foreign:
            lab.engine.remove_container(container)


def test_parallel_creates_stay_within_the_number_of_targets(lab: Lab) -> None:
    with lab_session(lab) as session:
        answers = at_once(
            [lambda n=n: session.create(f"dryrun-attack-{lab.nonce}-many-{n}") for n in range(_TARGETS + 10)]
        )
        assert len(session.ids()) == _TARGETS == sum(answer.status == 201 for answer in answers)
        assert {answer.status for answer in answers} == {201, 403} or {
            answer.status for answer in answers
        } == {201, 409}


def test_parallel_starts_stay_within_the_number_of_collectors(lab: Lab) -> None:
    with lab_session(lab) as session:
        for n in range(5):
            session.create(f"dryrun-attack-{lab.nonce}-collector-{n}", row.collector())
        at_once(
            [
                lambda container=container: lab.guard.ask("POST", f"{row.API}/containers/{container}/start")
                for container in session.ids() * 2
            ]
        )
        running = [
            found
            for found in lab.engine.containers()
            if found["Id"] in session.ids() and found["State"] == "running"
        ]
        assert 0 < len(running) <= _COLLECTORS


def test_parallel_starts_of_one_container_are_one_start(lab: Lab) -> None:
    with lab_session(lab) as session:
        for number in range(5):
            made = session.create(f"dryrun-attack-{lab.nonce}-starts-{number}").json()["Id"]
            path = f"{row.API}/containers/{made}/start"
            answers = at_once([lambda path=path: lab.guard.ask("POST", path)] * 6)
            assert {answer.status for answer in answers} <= {204, 304}, [answer.body for answer in answers]


def test_parallel_creates_of_one_network_make_one(lab: Lab) -> None:
    session = LabSession(lab, lab.guard, 600)
    try:
        bodies = [session.network_body() for _ in range(6)]
        answers = at_once(
            [lambda body=body: lab.guard.ask("POST", row.CREATE_NETWORK, body) for body in bodies]
        )
        assert len(session.ids("networks")) == 1 == sum(answer.status == 201 for answer in answers)
    finally:
        session.remove()


def test_parallel_sessions_stay_within_the_ceiling_over_all(lab: Lab) -> None:
    ceiling = 4
    guard = GuardProcess(
        lab.folder, lab.tap.path, lab.allowlist(), name="few-sessions", policy={"sessions": ceiling}
    )
    sessions = [LabSession(lab, guard, 600) for _ in range(8)]
    with guard:
        try:
            bodies = [session.network_body() for session in sessions]
            at_once([lambda body=body: guard.ask("POST", row.CREATE_NETWORK, body) for body in bodies])
            made = [session for session in sessions if session.ids("networks")]
            assert len(made) + 2 <= ceiling  # the laboratory's two count as well
        finally:
            for session in sessions:
                session.remove()


def test_parallel_creates_stay_within_the_ceiling_over_all_sessions(lab: Lab) -> None:
    present = _of_sessions(lab)
    policy = POLICY | {"containers": present + 3}
    guard = GuardProcess(lab.folder, lab.tap.path, lab.allowlist(), name="few-containers", policy=policy)
    with guard, lab_session(lab, guard=guard) as session:
        at_once([lambda n=n: session.create(f"dryrun-attack-{lab.nonce}-few-{n}") for n in range(10)])
        made = len(session.ids())
        others = _of_sessions(lab) - made
        # Others' containers may have gone meanwhile, which made room.
        assert made <= 3 + max(0, present - others)


def _of_sessions(lab: Lab) -> int:
    """Return how many containers carry a session's id; two victims carry what is none."""
    found = (each["Labels"].get(SESSION_LABEL, "") for each in lab.engine.containers())
    return sum(len(session) == _UUID_LENGTH for session in found)


def test_network_that_was_replaced_by_a_foreign_one_of_its_name_is_not_used(lab: Lab) -> None:
    with lab_session(lab) as session:
        created = session.create(f"dryrun-attack-{lab.nonce}-before-swap").json()["Id"]
        (network,) = session.ids("networks")
        lab.engine.remove_network(network)
        open_one = {
            "Name": session.facts["NETWORK"],
            "IPAM": {"Config": [{"Subnet": session.facts["SUBNET"]}]},
        }
        foreign = lab.engine.must("POST", "/networks/create", open_one)["Id"]
        try:
            lab.guard.ask("POST", f"{row.API}/containers/{created}/start")
            later = session.create(f"dryrun-attack-{lab.nonce}-after-swap")
            inside = lab.engine.get(f"/networks/{foreign}")["Containers"]
            state = lab.engine.get(f"/containers/{created}/json")["State"]["Running"]
        finally:
            for container in session.ids():
                lab.engine.remove_container(container)
            lab.engine.remove_network(foreign)
        assert (later.status in row.REFUSED, inside, state) == (True, {}, False)


def test_network_made_again_does_not_prolong_its_session(lab: Lab) -> None:
    with lab_session(lab, 120) as session:
        session.create(f"dryrun-attack-{lab.nonce}-old")
        (network,) = session.ids("networks")
        assert lab.guard.ask("DELETE", f"{row.API}/networks/{network}").status in {204, 403, 409}
        short = session.facts["EXPIRES"]
        session.facts["EXPIRES"] = timestamp(1700)
        lab.guard.ask("POST", row.CREATE_NETWORK, session.network_body())
        session.create(f"dryrun-attack-{lab.nonce}-new")
        answered = [
            found["Labels"]["discovery.dryrun.expires_at"]
            for found in lab.engine.networks()
            if found["Id"] in session.ids("networks")
        ]
        answered += [
            found["Labels"]["discovery.dryrun.expires_at"]
            for found in lab.engine.containers()
            if found["Id"] in session.ids()
        ]
        assert set(answered) <= {short}


def test_nothing_is_left_of_a_session_that_is_filled_while_its_deadline_passes(lab: Lab) -> None:
    with lab_session(lab, 3) as session:
        stop = time.monotonic() + 5
        n = 0
        while time.monotonic() < stop:
            answer = session.create(f"dryrun-attack-{lab.nonce}-late-{n}")
            if answer.status == 201:
                lab.guard.ask("POST", f"{row.API}/containers/{answer.json()['Id']}/start")
            lab.guard.ask("POST", row.CREATE_NETWORK, session.network_body())
            n += 1
        deadline = time.monotonic() + 30
        while (left := session.ids() + session.ids("networks")) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert n > 0
        assert not left
