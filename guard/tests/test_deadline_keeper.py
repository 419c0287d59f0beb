"""What is past its deadline goes, whoever is alive; a removal that fails is told at every try."""

import io
import json

import pytest
from guard_stage import Words, in_seconds

from docker_guard import labels
from docker_guard.deadline_keeper import DeadlineKeeper
from docker_guard.engine import Engine
from docker_guard.evidence import REGISTRY, Evidence
from docker_guard.policy import Policy
from docker_guard.refusal import EngineDownError
from docker_guard.sessions import Deadlines


@pytest.fixture
async def keeper(engine, tmp_path):
    client = Engine(f"unix://{tmp_path / 'engine.sock'}", Policy())
    log = io.StringIO()
    keeper = DeadlineKeeper(client, Policy(), Deadlines(Policy()), Evidence(log))
    keeper.log = log
    yield keeper
    await client.close()


def told(keeper):
    return [json.loads(line) for line in keeper.log.getvalue().splitlines()]


def add_session(engine, seconds: float) -> Words:
    words = Words(seconds)
    engine.add_container(words.shared, f"c-{words.session_id}")
    engine.add_network(words.shared, words.network_name)
    return words


async def test_removes_what_is_due_with_volumes_and_nothing_else(engine, keeper):
    add_session(engine, -1)
    alive = add_session(engine, 60)
    engine.add_container({}, "foreign")
    engine.add_container({labels.SESSION_ID: "x", labels.EXPIRES_AT: in_seconds(-60)}, "no session")
    await keeper.sweep()
    left = [thing["Labels"].get(labels.SESSION_ID) for thing in engine.containers.values()]
    assert sorted(left, key=str) == sorted([alive.session_id, None, "x"], key=str)
    assert len(engine.networks) == 1
    removals = [
        query for method, path, query, _ in engine.asked if method == "DELETE" and "containers" in path
    ]
    assert removals == [{"v": "1", "force": "1"}]


async def test_a_network_that_is_old_ends_its_session_whatever_the_label(engine, keeper):
    words = add_session(engine, 60)
    network = next(iter(engine.networks.values()))
    network["Created"] = "2020-01-01T00:00:00.123456789Z"
    await keeper.sweep()
    assert words.session_id not in [each["Labels"][labels.SESSION_ID] for each in engine.containers.values()]
    assert engine.networks == {}


async def test_a_removal_that_fails_is_a_line_and_a_number_at_every_try(engine, keeper):
    add_session(engine, -1)
    engine.refuse["DELETE", "/networks/"] = (403, "network has active endpoints")
    before = REGISTRY.get_sample_value("docker_guard_removal_failures_total") or 0
    await keeper.sweep()
    await keeper.sweep()
    failures = [line for line in told(keeper) if line["type"] == "removal-failed"]
    assert len(failures) == 2
    assert "active endpoints" in failures[0]["reason"]
    assert REGISTRY.get_sample_value("docker_guard_removal_failures_total") == before + 2
    engine.refuse.clear()
    await keeper.sweep()
    assert engine.networks == engine.containers == {}


async def test_an_engine_that_is_away_is_an_error_of_this_look_only(engine, keeper):
    engine.refuse["GET", "/networks"] = (500, "away")
    with pytest.raises(EngineDownError):
        await keeper.sweep()
    engine.refuse.clear()
    add_session(engine, -1)
    await keeper.sweep()
    assert engine.containers == {}
