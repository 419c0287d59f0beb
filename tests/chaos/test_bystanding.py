"""What is a breach of an experiment's or of the warm pool's."""

import sqlite3
from types import SimpleNamespace
from uuid import uuid4

import bystanding
import pytest
from bystanding import experiment_breaches, left_of_nobody

from dryrun_local.machine.engine_view import Thing

FIRST, SECOND = uuid4(), uuid4()
ENDED = {
    FIRST: {"outcome": "completed", "reason": None},
    SECOND: {"outcome": "failed", "reason": "host b is lost"},
}


def experiment(whole="done", **changes):
    runs = [
        {"number": 1, "state": "measured", "session_id": str(FIRST), "reason": None},
        {"number": 2, "state": "failed", "session_id": str(SECOND), "reason": "the session failed"},
    ]
    runs[1] |= changes
    return {"id": "x", "state": whole, "run_list": runs}


def test_an_experiment_whose_runs_end_as_their_sessions_is_none():
    assert experiment_breaches([experiment()], ENDED) == []


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([], "is not listed"),
        ([experiment("running")], "is running and never done"),
        ([experiment() | {"run_list": [{"number": 2, "state": "running", "session_id": None}]}], "stays"),
        ([experiment(reason=None)], "failed without a reason"),
        ([experiment(state="measured")], "is measured, and its session failed"),
        ([experiment(session_id=str(FIRST))], "failed, and its session completed"),
        ([experiment(state="measured", session_id=str(FIRST))], "have one session"),
    ],
)
def test_what_does_not_hold_of_an_experiment_is_said(found, says):
    assert says in " ".join(experiment_breaches(found, ENDED))


@pytest.mark.parametrize(
    ("phase", "pool", "is_left"),
    [("waiting", "ready", False), ("ended", "dropped", True), (None, None, True)],
)
async def test_what_is_prepared_may_be_there_and_what_nobody_knows_may_not(
    tmp_path, monkeypatch, phase, pool, is_left
):
    monkeypatch.setattr(bystanding, "GONE_SECONDS", 0)
    journal = sqlite3.connect(tmp_path / "journal.sqlite3")
    journal.execute("CREATE TABLE sessions (id TEXT, phase TEXT, pool TEXT, held_overlay TEXT)")
    if phase is not None:
        journal.execute("INSERT INTO sessions VALUES (?, ?, ?, NULL)", (str(FIRST), phase, pool))
    journal.commit()
    journal.close()

    async def things():
        others = (Thing("container", "2", "other", f"x{FIRST}"), Thing("network", "3", "theirs"))
        return frozenset({Thing("network", "1", f"dryrun-{FIRST}", str(FIRST)), *others})

    world = SimpleNamespace(journal_folder=tmp_path, engine=SimpleNamespace(things=things))
    found = await left_of_nobody(world, forgotten=False)
    assert found == [f"left in the engine of nobody's session: network dryrun-{FIRST}"] * is_left
