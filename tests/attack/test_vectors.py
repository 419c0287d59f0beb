"""Every vector, sent to the guard before the real engine, judged by what the engine holds afterwards."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from guard_lab import Lab
from judge import Snapshot, container_faults, details, leaks, mine, network_faults, states
from vectors import ALL, Vector

pytestmark = pytest.mark.engine

_ENOUGH = 150


@pytest.fixture(scope="module")
def images(lab: Lab) -> dict[str, Mapping[str, Any]]:
    """The configuration of each allowlisted image, by ID."""
    return {
        lab.facts[name]: lab.engine.get(f"/images/{lab.facts[name]}/json")["Config"]
        for name in ("IMAGE", "COLLECTOR")
    }


@pytest.fixture(scope="module")
def untouched(lab: Lab) -> Iterator[dict[str, Any]]:
    """The victims in full; whatever the vectors did, at their end each is as it was."""
    before = details(lab)
    store = (lab.engine.volumes(), lab.engine.images())
    yield {"states": states(lab, Snapshot.take(lab)), "details": before, "store": store}
    assert details(lab) == before


def test_there_are_enough_vectors_and_each_has_a_name_of_its_own() -> None:
    assert len({vector.id for vector in ALL}) == len(ALL) >= _ENOUGH


@pytest.mark.parametrize("vector", ALL, ids=lambda vector: vector.id)
def test_attack_does_not_succeed(
    vector: Vector, lab: Lab, images: dict[str, Mapping[str, Any]], untouched: dict[str, Any]
) -> None:
    before = Snapshot.take(lab)
    mark = lab.tap.mark()
    sent, answer = lab.attack(vector, lab.vector_facts())
    after = Snapshot.take(lab)
    changes = lab.tap.changes_since(mark)
    faults = [*leaks(lab, sent, answer)]
    faults += _new_things(lab, before, after, images, is_all=bool(changes))
    if states(lab, after) != untouched["states"]:
        faults.append(f"something was touched: {_difference(untouched['states'], states(lab, after))}")
    if changes:
        if details(lab) != untouched["details"]:
            faults.append("a victim was changed")
        if (lab.engine.volumes(), lab.engine.images()) != untouched["store"]:
            faults.append("volumes or images changed")
    if answer.status not in vector.answers or len(answer.statuses) > 1 + vector.more_answers:
        faults.append(f"answered {answer.statuses or 'nothing'}: {answer.received[-300:]!r}")
    if not lab.guard.answers():
        faults.append("the guard answers nobody after that")
    assert not faults, f"{vector.what}: {faults}; the guard asked the engine for {changes}"


def _new_things(
    lab: Lab, before: Snapshot, after: Snapshot, images: Mapping[str, Mapping[str, Any]], *, is_all: bool
) -> Iterator[str]:
    """Judge and remove what is new; others' things only when the guard asked for a change meanwhile."""
    for container in after.containers.keys() - before.containers.keys():
        if is_all or mine(lab, after.containers[container]):
            status, document = lab.engine.call("GET", f"/containers/{container}/json")
            if status == 200:
                yield from (f"new container: {fault}" for fault in container_faults(lab, document, images))
        if mine(lab, after.containers[container]):
            lab.engine.remove_container(container)
    for network in after.networks.keys() - before.networks.keys():
        if is_all or mine(lab, after.networks[network]):
            status, document = lab.engine.call("GET", f"/networks/{network}")
            if status == 200:
                yield from (f"new network: {fault}" for fault in network_faults(lab, document))
        if mine(lab, after.networks[network]):
            lab.engine.remove_network(network)


def _difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    return "; ".join(f"{key}: {was[key]} became {now.get(key)}" for key in was if was[key] != now.get(key))
