"""What the API answers, and what becomes of sessions, while journal or audit log cannot be written."""

import asyncio
import shutil
from uuid import uuid4

import pytest
from served_app import audit_lines, serving, until_ended
from small_disk import filled, small_disk

from dryrun_contract.event import PhaseChanged
from dryrun_contract.problem import Problem
from dryrun_orchestrator.journal.errors import JournalWriteError
from dryrun_orchestrator.session import loop


@pytest.fixture
async def served(tmp_path):
    async with serving(tmp_path) as client:
        yield client


async def test_a_full_disk_is_said_to_whoever_asks_and_forgotten_once_there_is_space(tmp_path):
    with small_disk(tmp_path / "small", kib=1024) as disk:
        async with serving(disk) as served:
            url = f"/sessions/{uuid4()}"
            with filled(disk):
                answer = await served.put(url, json={"template": "two"})
                problem = Problem.model_validate_json(answer.content)
                assert (problem.status, problem.type) == (507, "urn:dryrun:problem:not-stored")
                assert f"free space in {disk}" in problem.detail
                ready = await served.get("/readyz")
                assert ready.status_code == 503
                assert ready.json()["checks"]["journal"].startswith("no: the journal cannot be written")
                assert "dryrun_journal_writable 0.0" in (await served.get("/metrics")).text
            assert (await served.get("/readyz")).json()["checks"]["journal"].startswith("ok, ")
            assert "dryrun_journal_writable 1.0" in (await served.get("/metrics")).text
            assert (await served.put(url, json={"template": "two"})).status_code == 201
            await until_ended(served, url.rpartition("/")[2])


async def append_forever(journal, session_id):
    while True:
        await journal.append(session_id, PhaseChanged(phase="kept"))


async def test_on_a_full_disk_a_session_is_stopped_removed_and_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "MAX_PAUSE_SECONDS", 0.1)
    with small_disk(tmp_path / "small", kib=1024) as disk:
        async with serving(disk) as served, asyncio.timeout(30):
            session_id = uuid4()
            url = f"/sessions/{session_id}"
            await served.put(url, json={"template": "two", "keep": True})
            journal = served.app.state.parts.journal
            while (await served.get(url)).json()["phase"] != "kept":
                await asyncio.sleep(0.02)
            with filled(disk):
                with pytest.raises(JournalWriteError):
                    await append_forever(journal, session_id)
                stop = await served.post(f"{url}/stop")
                assert (stop.status_code, stop.json()["phase"]) == (202, "kept")
                while served.engine.networks:
                    await asyncio.sleep(0.02)
                assert (await served.get(url)).json()["phase"] == "kept"
            assert (await until_ended(served, session_id)).outcome == "stopped"
            assert [line["outcome"] for line in audit_lines(served)] == ["accepted", "accepted"]


async def test_probes_answer_and_nothing_begins_without_the_state_folder(served):
    state, away = served.folder / "state", served.folder / "away"
    state.rename(away)
    url = f"/sessions/{uuid4()}"
    checks = (await served.get("/readyz")).json()["checks"]
    assert checks["journal"].startswith("no: the journal cannot be written: No such file or directory")
    assert checks["audit log"].startswith("no: the audit log cannot be written: No such file or directory")
    figures = (await served.get("/metrics")).text
    assert "dryrun_journal_writable 0.0" in figures
    assert "dryrun_audit_log_writable 0.0" in figures
    assert (await served.put(url, json={"template": "two"})).status_code == 507
    state.mkdir()
    assert (await served.put(url, json={"template": "two"})).status_code == 507, "a restart would forget it"
    assert (await served.get(url)).status_code == 404
    shutil.rmtree(state)
    away.rename(state)
    assert (await served.put(url, json={"template": "two"})).status_code == 201
    await until_ended(served, url.rpartition("/")[2])


async def test_without_room_in_the_audit_log_nothing_begins_what_runs_stops_and_refusals_stay_what_they_are(
    tmp_path,
):
    with small_disk(tmp_path / "disk") as disk:
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "audit.jsonl").symlink_to(disk / "audit.jsonl")
        async with serving(tmp_path) as served:
            running, other = f"/sessions/{uuid4()}", f"/sessions/{uuid4()}"
            wanted = {"template": "two", "keep": True}
            assert (await served.put(running, json=wanted)).status_code == 201
            with filled(disk):
                answer = await served.put(other, json=wanted)
                problem = Problem.model_validate_json(answer.content)
                assert (problem.status, problem.type) == (507, "urn:dryrun:problem:not-stored")
                assert problem.detail.startswith("the audit log cannot be written: No space left")
                assert (await served.get(other)).status_code == 404
                unknown = await served.post(f"{other}/stop")
                stranger = await served.put(other, json=wanted, headers={"Authorization": ""})
                assert (unknown.status_code, stranger.status_code) == (404, 401)
                assert (await served.post(f"{running}/stop")).status_code == 202
                await until_ended(served, running.rpartition("/")[2])
                checks = (await served.get("/readyz")).json()["checks"]
                assert checks["audit log"].startswith("no: the audit log cannot be written")
                assert checks["journal"].startswith("ok")
                assert "dryrun_audit_log_writable 0.0" in (await served.get("/metrics")).text
            assert (await served.get("/readyz")).json()["checks"]["audit log"] == "ok"
            assert "dryrun_audit_log_writable 1.0" in (await served.get("/metrics")).text
            assert [(line["command"].split()[0], line["outcome"]) for line in audit_lines(served)] == [
                ("PUT", "accepted"),
                ("PUT", "refused"),
                ("POST", "refused"),
                ("PUT", "refused"),
                ("POST", "accepted"),
            ]
