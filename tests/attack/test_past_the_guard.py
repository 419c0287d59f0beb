"""Containers created past the guard, with a session's labels: none with more power is started.

An operator, another client or a fault may make them. Each vector of which the suite says that an engine alone
accepts it is made so, which shows that it is dangerous, and its start is asked of the guard.
"""

import json
from typing import Any

import pytest
from engine_socket import ENGINE_SOCKET, Answer, exchange, request_bytes
from guard_lab import Facts, Lab, filled
from judge import container_faults
from vectors import ALL, row

pytestmark = [pytest.mark.engine, pytest.mark.long]

# Creates of containers without volumes only: those would be made, and mounted, by the create already.
_DANGEROUS = [vector for vector in ALL if vector.alone and vector.path == row.CREATE]


def _facts(lab: Lab) -> Facts:
    # The guard names networks by id: only a vector's own change sets these containers apart from its own.
    return lab.vector_facts() | {"NETWORK": lab.facts["NETWORK_ID"]}


def _make(body: Any, facts: Facts) -> Answer:
    """Ask the engine itself for a container."""
    text = body if isinstance(body, bytes | str) else json.dumps(body)
    raw = filled(text if isinstance(text, bytes) else text.encode(), facts)
    path = f"/v1.45/containers/create?name={facts['NAME']}"
    return exchange(ENGINE_SOCKET, request_bytes("POST", path, (), raw), 20)


def _start(lab: Lab, container: str) -> tuple[int, Any]:
    """Ask the guard for a start; return its answer's status and what the engine has then."""
    answer = lab.guard.ask("POST", f"{row.API}/containers/{container}/start")
    return answer.status, lab.engine.get(f"/containers/{container}/json")


def test_container_that_is_as_the_guard_makes_it_is_started_and_started_again(lab: Lab) -> None:
    made = _make(row.container(), _facts(lab)).json()["Id"]
    try:
        status, document = _start(lab, made)
        assert (status, document["State"]["Running"]) == (204, True), lab.guard.decisions()[-1]
        assert _start(lab, made)[0] == 304
        lab.guard.must("POST", f"{row.API}/containers/{made}/stop?t=0")
        assert _start(lab, made)[0] == 204
    finally:
        lab.engine.remove_container(made)


def test_collector_is_started_with_a_command_of_its_row(lab: Lab) -> None:
    command = ["echo", "@SUBNET@", "--self=@ADDRESS@", "@ADDRESS@,@FIRST@"]
    body = lab.render_json(row.collector() | {"Cmd": command}, _facts(lab))
    made = lab.guard.must("POST", f"{row.API}/containers/create", body)["Id"]
    try:
        status, document = _start(lab, made)
        assert (status, document["Config"]["Cmd"][1]) == (204, lab.facts["SUBNET"])
    finally:
        lab.engine.remove_container(made)


def test_container_with_more_power_is_made_by_an_engine_and_not_started_by_the_guard(lab: Lab) -> None:
    images = {
        lab.facts[name]: lab.engine.get(f"/images/{lab.facts[name]}/json")["Config"]
        for name in ("IMAGE", "COLLECTOR")
    }
    not_accepted, started, harmless = {}, {}, []
    for vector in _DANGEROUS:
        answer = _make(vector.body, _facts(lab))
        if answer.status != 201:
            not_accepted[vector.id] = answer.message
            continue
        made = answer.json()["Id"]
        try:
            status, document = _start(lab, made)
            is_refused = status in row.REFUSED and document["State"]["Status"] == "created"
            if is_refused:
                continue
            if faults := [*container_faults(lab, document, images)]:
                started[vector.id] = (status, faults)
            else:
                harmless.append(vector.id)
        finally:
            lab.engine.remove_container(made)
    assert not not_accepted
    assert not started
    assert len(harmless) < len(_DANGEROUS) / 5, harmless
    assert lab.guard.answers()
