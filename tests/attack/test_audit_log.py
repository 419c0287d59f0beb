"""Every decision leaves a line that names its rule, and no line holds a secret."""

import pytest
from engine_socket import exchange, request_bytes
from guard_lab import Lab
from sessions_lab import lab_session
from vectors import row

pytestmark = pytest.mark.engine


def test_refusals_and_acts_are_on_record_without_secrets(lab: Lab) -> None:
    secret = f"hush-{lab.nonce}"
    before = len(lab.guard.decisions())
    with lab_session(lab) as session:
        name = f"dryrun-attack-{lab.nonce}-recorded"
        made = session.create(name, row.container(Env=[f"GREETING={secret}"])).json()["Id"]
        session.create(name, row.container(Env=[f"PASSWORD={secret}"]))
        session.create(name, row.container(Cmd=[secret]))
        headers = (("Authorization", secret), ("Authorization", secret))
        exchange(lab.guard.address, request_bytes("GET", "/_ping", headers), 5)
        lab.guard.ask("DELETE", f"{row.API}/containers/{lab.facts['VICTIM_ID']}?force=1")
    lines = lab.guard.decisions()[before:]
    assert secret not in lab.guard.log.read_text()
    created = [line for line in lines if made in line.get("objects", ())]
    refused = [line for line in lines if line.get("verdict") in {"refused", "absent"}]
    assert created
    assert created[0]["verdict"] == "allowed"
    assert len(refused) >= 4
    assert all(line["rule"] and line["reason"] and line["peer"] for line in refused)
