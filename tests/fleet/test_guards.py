"""Guards of a fleet, attacked by who has taken over the orchestrator, and by who has taken over a host."""

import itertools
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from fleet_host import Host
from fleet_lab import FleetLab
from fleet_words import NGINX, Words, image
from local_stack import ROOT

pytestmark = [pytest.mark.engine, pytest.mark.long(70)]


@pytest.fixture
def made(fleet: FleetLab) -> Iterator[list[tuple[Host, str, str]]]:
    """What a test makes past the guards, removed after it."""
    things: list[tuple[Host, str, str]] = []
    yield things
    for host, kind, identity in reversed(things):
        host.ask("DELETE", f"/{kind}/{identity}?force=1")


@contextmanager
def managers_guard_gone(fleet: FleetLab) -> Iterator[None]:
    fleet.manager.end_guard()
    try:
        yield
    finally:
        fleet.start_guard(fleet.manager, ROOT / ".dryrun" / "allowlist.json")


def run_on(fleet: FleetLab, host: Host, words: Words, last: int) -> tuple[int, Any]:
    """Create a container through a host's guard and start it; return the last answer."""
    status, answer = fleet.ask(
        host, "POST", f"/containers/create?name=dryrun-{uuid4().hex[:12]}", words.container(last)
    )
    if status != 201:
        return status, answer
    return fleet.ask(host, "POST", f"/containers/{answer['Id']}/start")


def wait_until(condition: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def stands_on_all_hosts(fleet: FleetLab, words: Words) -> None:
    """Make a session of one container on each host; AssertionError for anything that is not as it should."""
    assert fleet.ask(fleet.manager, "POST", "/networks/create", words.overlay())[0] == 201
    for number, host in enumerate(fleet.hosts.values()):
        status, answer = run_on(fleet, host, words, 5 + number)
        assert status == 204, answer
        # The manager's engine may be the one of other tests.
        known = {each["Name"]: each for each in fleet.ask(host, "GET", "/networks")[1]}
        found = known.get(words.name, {})
        assert (found.get("Internal"), found.get("Scope")) == (True, "swarm"), known
    assert len(fleet.left_of(words.id)) == 6


def made_in_time(fleet: FleetLab, words: Words, seconds: float) -> bool:
    """Return whether the session stood on all hosts; False where making it took until its deadline."""
    # A deadline is a whole second, so it comes up to one earlier.
    due = time.monotonic() + seconds - 1
    try:
        stands_on_all_hosts(fleet, words)
    except AssertionError:
        if time.monotonic() < due:
            raise
        wait_until(lambda: not fleet.left_of(words.id), 90)
        return False
    return True


def test_a_session_lives_on_all_hosts_and_ends_on_all_at_its_deadline(fleet: FleetLab) -> None:
    # Longer ones only where a busy machine takes as long to make them.
    for number, seconds in ((1, 8), (11, 24), (12, 72)):
        words = Words(number, seconds)
        if made_in_time(fleet, words, seconds):
            break
    else:
        pytest.fail("72 s did not suffice to make a session of three containers")
    # Nobody but the guards removes it: the orchestrator of these words does not exist.
    wait_until(lambda: not fleet.left_of(words.id), seconds + 32)
    for host in fleet.hosts.values():
        assert '"removal-failed"' not in host.log.read_text() or host.is_manager


def test_a_workers_part_ends_at_its_deadline_with_the_managers_guard_gone(fleet: FleetLab) -> None:
    words, worker = Words(10, seconds=12), fleet.workers[0]
    assert fleet.ask(fleet.manager, "POST", "/networks/create", words.overlay())[0] == 201
    assert run_on(fleet, worker, words, 5)[0] == 204
    label = f"label=discovery.dryrun.session_id={words.id}"
    with managers_guard_gone(fleet):
        wait_until(lambda: not worker.docker("ps", "--all", "--quiet", "--filter", label), 40)
    # The overlay is the manager's guard's, as soon as it is there again.
    wait_until(lambda: not fleet.left_of(words.id), 40)


def remove(fleet: FleetLab, words: Words) -> None:
    """End a session as its orchestrator does."""
    for host in fleet.hosts.values():
        for each in fleet.ask(host, "GET", "/containers/json?all=1")[1]:
            if each["Labels"]["discovery.dryrun.session_id"] == words.id:
                assert fleet.ask(host, "DELETE", f"/containers/{each['Id']}?force=1&v=1")[0] == 204

    def gone() -> bool:
        for each in fleet.ask(fleet.manager, "GET", "/networks")[1]:
            if each["Name"] == words.name:
                fleet.ask(fleet.manager, "DELETE", f"/networks/{each['Id']}")
        return not fleet.left_of(words.id)

    wait_until(gone)


def test_overlays_are_made_by_the_manager_alone_and_in_one_form(fleet: FleetLab) -> None:
    words = Words(3)
    for worker in fleet.workers:
        assert fleet.ask(worker, "POST", "/networks/create", words.overlay())[0] == 403
    for change in (
        {"Internal": False},
        {"Attachable": False},
        {"Ingress": True},
        {"Options": {"com.docker.network.driver.mtu": "9000"}},
        {"IPAM": {"Config": [{"Subnet": "10.213.3.0/26"}]}},
        {"IPAM": {"Config": [{"Subnet": "10.213.255.0/26", "IPRange": "10.213.255.32/27"}]}},
        {"IPAM": {"Config": [{"Subnet": "10.213.3.0/26", "IPRange": "10.213.3.0/27"}]}},
        {"IPAM": {"Config": [{"Subnet": "10.213.3.0/26", "IPRange": "10.213.3.32/28"}]}},
        {"IPAM": {"Config": [{"Subnet": "10.213.3.0/30", "IPRange": "10.213.3.2/31"}]}},
        {"IPAM": {"Config": [{"Subnet": "10.213.3.0/25", "IPRange": "10.213.3.64/26"}]}},
        {"IPAM": {"Driver": "null", "Config": [{"Subnet": "10.213.3.0/26", "IPRange": "10.213.3.32/27"}]}},
        {"Options": {"encrypted": "false"}},
        {"Options": {"com.docker.network.driver.overlay.vxlanid_list": "4097"}},
        {"EnableIPv6": True},
        {"Scope": "local"},
        {"Driver": "Overlay"},
        {"ConfigFrom": {"Network": "ingress"}},
        {"Name": "ingress"},
    ):
        assert fleet.ask(fleet.manager, "POST", "/networks/create", words.overlay(**change))[0] == 403, change
    assert not fleet.left_of(words.id)


def becomes_known(worker: Host, name: str, seconds: float) -> bool:
    """Return whether a worker's engine lists a network in time; the swarm informs it gradually."""
    for _ in range(int(10 * seconds)):
        if name in worker.docker("network", "ls", "--format", "{{.Name}}").split():
            return True
        time.sleep(0.1)
    return False


def is_brought(worker: Host, container: str, network: str) -> bool:
    """Start a container, and return whether that brings its network to the host."""
    refused = worker.ask("POST", f"/containers/{container}/start")
    return refused is None and becomes_known(worker, network, 20)


FOREIGN: dict[str, Callable[[Words], dict[str, Any]]] = {
    "without labels": lambda _: {"Labels": {}},
    "of another session's labels": lambda _: {"Labels": Words(4).shared},
    "that is not internal": lambda _: {"Internal": False},
    "whose engines take any address": lambda words: {"IPAM": {"Config": [{"Subnet": f"{words.base}.0/26"}]}},
}
numbers = itertools.count(20)
"""Of networks with addresses of their own: the swarm gradually takes away those of a removed one, and starts
nothing on another that has the same until then."""


@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize("is_known", [False, True], ids=["unknown to the worker", "known to the worker"])
def test_a_network_of_the_right_name_opens_nothing_on_a_worker(
    fleet: FleetLab,
    made: list[tuple[Host, str, str]],
    change: Callable[[Words], dict[str, Any]],
    is_known: bool,
) -> None:
    words, worker = Words(next(numbers)), fleet.workers[0]
    identity = fleet.manager.ask("POST", "/networks/create", words.overlay(**change(words)))["Id"]
    made.append((fleet.manager, "networks", identity))
    if is_known:
        # A container of somebody else brings the network to this host first.
        foreign = worker.ask(
            "POST",
            "/containers/create",
            {"Image": image(NGINX)["id"], "HostConfig": {"NetworkMode": identity}},
        )["Id"]
        made.append((worker, "containers", foreign))
        assert any(is_brought(worker, foreign, words.name) for _ in range(4))
    for network in (words.name, identity):
        body = words.container(5, network=network)
        status, answer = fleet.ask(worker, "POST", "/containers/create?name=dryrun-evil", body)
        assert status == 403, answer
    assert not worker.docker("ps", "--all", "--quiet", "--filter", "name=dryrun-evil")


def test_a_container_made_past_the_guard_on_an_overlay_is_not_started(fleet: FleetLab, made) -> None:
    words, worker = Words(5), fleet.workers[0]
    assert fleet.ask(fleet.manager, "POST", "/networks/create", words.overlay())[0] == 201
    body = words.container(5)
    body["HostConfig"]["CapAdd"] = ["NET_ADMIN"]
    identity = worker.ask("POST", "/containers/create?name=dryrun-past", body)["Id"]
    made.append((worker, "containers", identity))
    assert fleet.ask(worker, "POST", f"/containers/{identity}/start")[0] == 403
    remove(fleet, words)


def bridge(words: Words) -> dict[str, Any]:
    """Return the network of an overlay's session as one host would make it for itself."""
    digits = words.id.replace("-", "")[:12]
    return {
        "Name": words.name,
        "Driver": "bridge",
        "Internal": True,
        "IPAM": {"Config": [{"Subnet": f"{words.base}.128/27"}]},
        "Options": {
            "com.docker.network.bridge.name": f"dr-{digits}",
            "com.docker.network.bridge.inhibit_ipv4": "true",
        },
        "Labels": words.shared,
    }


@pytest.mark.parametrize("what", ["removed", "exchanged", "hidden by a bridge"])
def test_a_container_starts_on_no_network_but_that_it_was_made_for(fleet: FleetLab, what: str) -> None:
    words, worker = Words(next(numbers)), fleet.workers[0]
    made = fleet.ask(fleet.manager, "POST", "/networks/create", words.overlay())[1]
    identity = fleet.ask(worker, "POST", "/containers/create?name=dryrun-late", words.container(5))[1]["Id"]
    if what == "hidden by a bridge":
        assert fleet.ask(worker, "POST", "/networks/create", bridge(words))[0] == 201
    else:
        assert fleet.ask(fleet.manager, "DELETE", f"/networks/{made['Id']}")[0] == 204
    if what == "exchanged":
        other = Words(next(numbers))
        addresses = {"Config": [{"Subnet": f"{other.base}.0/26", "IPRange": f"{other.base}.32/27"}]}
        assert fleet.ask(fleet.manager, "POST", "/networks/create", words.overlay(IPAM=addresses))[0] == 201
    assert fleet.ask(worker, "POST", f"/containers/{identity}/start")[0] == 403
    for host in (worker, fleet.manager):
        for each in fleet.ask(host, "GET", "/containers/json?all=1")[1]:
            fleet.ask(host, "DELETE", f"/containers/{each['Id']}?force=1")
        for each in fleet.ask(host, "GET", "/networks")[1]:
            if each["Name"] == words.name:
                assert fleet.ask(host, "DELETE", f"/networks/{each['Id']}")[0] == 204
    wait_until(lambda: not fleet.left_of(words.id))


def test_who_takes_over_a_worker_may_list_networks_at_the_manager_and_nothing_else(fleet: FleetLab) -> None:
    words, stolen = Words(6), fleet.certificates / "b" / "manager"
    assert fleet.ask(fleet.manager, "GET", "/networks", certs=stolen)[0] == 200
    assert fleet.ask(fleet.manager, "POST", "/networks/create", words.overlay(), certs=stolen)[0] == 403
    for host in (fleet.manager, fleet.hosts["c"]):
        assert fleet.ask(host, "GET", "/containers/json", certs=stolen)[0] == 403
        assert fleet.ask(host, "POST", "/containers/create", words.container(5), certs=stolen)[0] == 403
    # What a guard shows its clients is no client's.
    with pytest.raises(OSError):  # noqa: PT011 - refused by an alert, or by a reset
        fleet.ask(fleet.manager, "GET", "/networks", certs=fleet.certificates / "b")
    assert not fleet.left_of(words.id)


def test_new_certificates_replace_all_old_ones(fleet: FleetLab) -> None:
    old = fleet.folder / "old"
    shutil.copytree(fleet.orchestrator_certs, old)
    fleet.make_certificates()
    fleet.restart_guards(ROOT / ".dryrun" / "allowlist.json")
    assert fleet.ask(fleet.manager, "GET", "/networks")[0] == 200
    with pytest.raises(OSError):  # noqa: PT011 - refused by an alert, or by a reset
        fleet.ask(fleet.manager, "GET", "/networks", certs=old)
    words = Words(9)
    assert fleet.ask(fleet.manager, "POST", "/networks/create", words.overlay())[0] == 201
    # The worker's guard is a client of the manager's, by its new certificate.
    assert run_on(fleet, fleet.workers[0], words, 5)[0] == 204
    remove(fleet, words)


def test_without_the_managers_guard_no_session_begins_on_a_worker(fleet: FleetLab) -> None:
    words, later, worker = Words(7), Words(8), fleet.workers[0]
    for each in (words, later):
        assert fleet.ask(fleet.manager, "POST", "/networks/create", each.overlay())[0] == 201
    assert run_on(fleet, worker, words, 5)[0] == 204
    with managers_guard_gone(fleet):
        # The worker's engine knows the network that it is on.
        assert run_on(fleet, worker, words, 6)[0] == 204
        assert run_on(fleet, worker, later, 5)[0] == 503
    for each in (words, later):
        remove(fleet, each)
