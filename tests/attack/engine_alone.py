"""Asks the engine itself for what vectors ask for: created, never started, labelled, removed at once."""

import json
from collections.abc import Mapping
from typing import Any

from engine_socket import ENGINE_SOCKET, exchange, request_bytes
from guard_lab import Lab, filled
from vectors import row

PROBE_LABEL = "attack.probe"


def engine_accepts(lab: Lab, vector: row.Vector, facts: Mapping[str, str]) -> tuple[bool, Any]:
    """Return whether the engine creates what the vector asks for, and its answer.

    Only for creates of containers without volumes: those would be made, and mounted, by the create already.
    """
    assert vector.path == row.CREATE, f"{vector.id} creates no container"
    assert vector.wire is None, f"{vector.id} is no single request"
    body = vector.body if isinstance(vector.body, bytes) else _labelled(vector.body).encode()
    status, answer = _create(lab, facts["NAME"], filled(body, facts))
    if status == 201:
        lab.engine.remove_container(answer["Id"])
    return status == 201, answer


def _labelled(body: Any) -> str:
    text = body if isinstance(body, str) else json.dumps(body)
    return text.replace('"Labels": {', f'"Labels": {{"{PROBE_LABEL}": "1", ', 1)


def _create(lab: Lab, name: str, body: bytes) -> tuple[int, Any]:
    answer = exchange(
        ENGINE_SOCKET, request_bytes("POST", f"/v1.45/containers/create?name={name}", (), body), 20
    )
    try:
        return answer.status, json.loads(answer.body)
    except ValueError:
        return answer.status, answer.body
