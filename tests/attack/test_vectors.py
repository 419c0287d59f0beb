"""Every vector, sent to the guard before the real engine, judged by what the engine holds afterwards."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from guard_lab import Lab
from judge import container_faults, network_faults
from vectors import ALL, Vector
from vectors.rules import STOPPED_BY
from witness import Snapshot, details, leaks, mine, states

pytestmark = [pytest.mark.engine, pytest.mark.long]

_ENOUGH = 150
_NO = {"refused", "absent", "failed"}
_HARMLESS_CALL = re.compile(
    r"POST /v1\.45/(?:containers/create\?name=dryrun-[a-z0-9_.-]+|networks/create)"
    r"|POST /v1\.45/containers/[0-9a-f]{64}/start"
    r"|DELETE /v1\.45/(?:containers/[0-9a-f]{64}\?v=1&force=[01]|networks/[0-9a-f]{64})"
)
"""All that a vector may make the guard ask for; its deadline sweeps, too."""


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
    yield {"states": states(lab, Snapshot.take(lab)), "details": before, "store": _store(lab)}
    assert details(lab) == before


def test_there_are_enough_vectors_and_each_has_a_name_of_its_own() -> None:
    assert len({vector.id for vector in ALL}) == len(ALL) >= _ENOUGH


@pytest.mark.parametrize("vector", ALL, ids=lambda vector: vector.id)
def test_attack_does_not_succeed(
    vector: Vector, lab: Lab, images: dict[str, Mapping[str, Any]], untouched: dict[str, Any]
) -> None:
    before = Snapshot.take(lab)
    mark, recorded = lab.tap.mark(), lab.guard.log.stat().st_size
    sent, answer = lab.attack(vector, lab.vector_facts())
    after = Snapshot.take(lab)
    changes = lab.tap.changes_since(mark)
    faults = [*leaks(lab, sent, answer)]
    rules = {line["rule"] for line in lab.guard.decisions(recorded) if line["verdict"] in _NO}
    if not rules <= STOPPED_BY[vector.rule]:
        faults.append(f"stopped by {rules}, so it says nothing about the rule '{vector.rule}'")
    faults += _new_things(lab, before, after, images)
    if states(lab, after) != untouched["states"]:
        faults.append(f"something was touched: {_difference(untouched['states'], states(lab, after))}")
    faults += [
        f"the guard asked the engine for {call}" for call in changes if not _HARMLESS_CALL.fullmatch(call)
    ]
    if changes and (details(lab), _store(lab)) != (untouched["details"], untouched["store"]):
        faults.append("a victim, a volume or an image was changed")
    if answer.status not in vector.answers or len(answer.statuses) > 1 + vector.more_answers:
        faults.append(f"answered {answer.statuses or 'nothing'}: {answer.received[-300:]!r}")
    if not lab.guard.answers():
        faults.append("the guard answers nobody after that")
    assert not faults, f"{vector.what}: {faults}; the guard asked the engine for {changes}"


def _store(lab: Lab) -> tuple[set[str], dict[str, list[str]]]:
    """Return this run's volumes and images; others may be building theirs."""
    volumes = {name for name in lab.engine.volumes() if lab.nonce in name}
    return volumes, {image: tags for image, tags in lab.engine.images().items() if lab.nonce in str(tags)}


def _new_things(
    lab: Lab, before: Snapshot, after: Snapshot, images: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Judge and remove what is new and this run's, by its marks or because this guard asked for it."""
    for container in after.containers.keys() - before.containers.keys():
        if lab.tap.made(container) or mine(lab, after.containers[container]):
            status, document = lab.engine.call("GET", f"/containers/{container}/json")
            if status == 200:
                yield from (f"new container: {fault}" for fault in container_faults(lab, document, images))
            lab.engine.remove_container(container)
    for network in after.networks.keys() - before.networks.keys():
        if lab.tap.made(network) or mine(lab, after.networks[network]):
            status, document = lab.engine.call("GET", f"/networks/{network}")
            if status == 200:
                yield from (f"new network: {fault}" for fault in network_faults(lab, document))
            lab.engine.remove_network(network)


def _difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    return "; ".join(f"{key}: {was[key]} became {now.get(key)}" for key in was if was[key] != now.get(key))
