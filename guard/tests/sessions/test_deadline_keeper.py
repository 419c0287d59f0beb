"""What is past its deadline is removed, whatever else has died; every failed removal is reported."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from guard_stage import Log, Words, in_seconds

from docker_guard.audit.audit_log import AuditLog
from docker_guard.audit.metrics import REGISTRY
from docker_guard.engine.client import Engine
from docker_guard.refusal import EngineDownError
from docker_guard.rules import labels
from docker_guard.rules.policy import Policy
from docker_guard.sessions import deadline_keeper
from docker_guard.sessions.deadline_keeper import DeadlineKeeper
from docker_guard.sessions.deadlines import Deadlines

POLICY = Policy(removal_seconds=0.3, sweep_seconds=0.2)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def keeper(engine, tmp_path, log):
    client = Engine(f"unix://{tmp_path / 'engine.sock'}", POLICY)
    yield DeadlineKeeper(client, POLICY, Deadlines(POLICY), AuditLog(log.write))
    await client.close()


async def sweep(keeper: DeadlineKeeper) -> None:
    """Sweep once, and wait until every removal has ended."""
    async with asyncio.TaskGroup() as removals:
        await keeper.sweep(removals)


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
    await sweep(keeper)
    left = [thing["Labels"].get(labels.SESSION_ID) for thing in engine.containers.values()]
    assert sorted(left, key=str) == sorted([alive.session_id, None, "x"], key=str)
    assert len(engine.networks) == 1
    removals = [
        query for method, path, query, _ in engine.asked if method == "DELETE" and "containers" in path
    ]
    assert removals == [{"v": "1", "force": "1"}]


async def test_an_old_network_ends_its_session_whatever_its_label_says(engine, keeper):
    words = add_session(engine, 60)
    network = next(iter(engine.networks.values()))
    network["Created"] = "2020-01-01T00:00:00.123456789Z"
    await sweep(keeper)
    assert words.session_id not in [each["Labels"][labels.SESSION_ID] for each in engine.containers.values()]
    assert engine.networks == {}


async def test_every_failed_removal_is_a_line_and_a_metric(engine, keeper, log):
    add_session(engine, -1)
    engine.refuse["DELETE", "/networks/"] = (403, "network has active endpoints")
    before = REGISTRY.get_sample_value("docker_guard_removal_failures_total") or 0
    await sweep(keeper)
    await sweep(keeper)
    failures = log.lines("removal-failed")
    assert len(failures) == 2
    assert "active endpoints" in failures[0]["reason"]
    assert REGISTRY.get_sample_value("docker_guard_removal_failures_total") == before + 2
    engine.refuse.clear()
    await sweep(keeper)
    assert engine.networks == engine.containers == {}


async def test_an_unreachable_engine_fails_one_sweep_only(engine, keeper):
    engine.refuse["GET", "/networks"] = (500, "away")
    with pytest.raises(ExceptionGroup) as failed:
        await sweep(keeper)
    assert isinstance(failed.value.exceptions[0], EngineDownError)
    engine.refuse.clear()
    add_session(engine, -1)
    await sweep(keeper)
    assert engine.containers == {}


async def until(is_so, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.02)


async def test_a_hanging_removal_delays_no_other_session_and_is_retried(engine, keeper, log):
    stuck = add_session(engine, -1)
    engine.hangs = set(engine.containers)
    before = REGISTRY.get_sample_value("docker_guard_removal_failures_total") or 0
    keeping = asyncio.create_task(keeper.keep())
    try:
        await until(lambda: log.lines("removal-failed"))
        other = add_session(engine, -1)
        await until(lambda: all(each["Labels"] != other.shared for each in engine.containers.values()))
        await until(lambda: len(log.lines("removal-failed")) >= 3)
        failures = log.lines("removal-failed")
        assert {line["session"] for line in failures if line["kind"] == "container"} == {stuck.session_id}
        assert "did not answer within 0.3 s" in failures[0]["reason"]
        assert REGISTRY.get_sample_value("docker_guard_removal_failures_total") >= before + 3
        engine.hangs.clear()
        await until(lambda: not engine.containers and not engine.networks)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def test_removals_that_hang_delay_no_other_of_their_session(engine, tmp_path, log, monkeypatch):
    """An engine answers no removal of a container whose start hangs: here of twenty, beside one that runs."""
    monkeypatch.setattr(deadline_keeper, "_PLACE_SECONDS", 0.05)
    words, policy = Words(-1), Policy(removal_seconds=20, sweep_seconds=0.2)
    engine.hangs = {engine.add_container(words.shared, f"starting-{number}") for number in range(20)}
    running = engine.add_container(words.shared, "running")
    client = Engine(f"unix://{tmp_path / 'engine.sock'}", policy)
    try:
        async with keeping(DeadlineKeeper(client, policy, Deadlines(policy), AuditLog(log.write))):
            await until(lambda: running not in engine.containers)
            # What appears meanwhile, by a request whose answer was lost, waits for none of them either.
            late = engine.add_container(words.shared, "late")
            await until(lambda: late not in engine.containers)
    finally:
        await client.close()
    assert not log.lines("removal-failed")


async def test_a_full_disk_stops_no_removal(engine, keeper, log):
    add_session(engine, -1)
    log.room = 10
    await sweep(keeper)
    assert engine.networks == engine.containers == {}


@asynccontextmanager
async def keeping(keeper: DeadlineKeeper):
    task = asyncio.create_task(keeper.keep())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_late_sweep_is_a_line_and_a_metric(engine, keeper, log):
    async with keeping(keeper):
        await until(lambda: engine.asked)
        time.sleep(1.5)  # noqa: ASYNC251 - as a client that keeps this loop busy
        await until(lambda: log.lines("sweep-late"))
    assert log.lines("sweep-late")[0]["seconds"] >= 1
    late = REGISTRY.get_sample_value("docker_guard_sweep_late_seconds_sum")
    assert late is not None
    assert late >= 1


async def test_the_sweep_age_grows_while_the_engine_gives_no_answer(engine, keeper):
    async with keeping(keeper):
        await until(lambda: (REGISTRY.get_sample_value("docker_guard_sweep_age_seconds") or 9) < 0.3)
        engine.refuse["GET", "/networks"] = (500, "away")
        await until(lambda: (REGISTRY.get_sample_value("docker_guard_sweep_age_seconds") or 0) > 0.7)


async def test_the_longest_overdue_time_is_a_metric(engine, keeper):
    add_session(engine, -5)
    engine.refuse["DELETE", "/"] = (500, "no")
    await sweep(keeper)
    overdue = REGISTRY.get_sample_value("docker_guard_overdue_seconds")
    assert overdue is not None
    assert 4 < overdue < 8
    engine.refuse.clear()
    await sweep(keeper)
    await sweep(keeper)
    assert REGISTRY.get_sample_value("docker_guard_overdue_seconds") == 0


async def test_a_session_that_begins_between_two_sweeps_is_ended_at_its_deadline(engine, tmp_path, log):
    policy = Policy(sweep_seconds=10)
    client, deadlines = Engine(f"unix://{tmp_path / 'engine.sock'}", policy), Deadlines(policy)
    try:
        async with keeping(DeadlineKeeper(client, policy, deadlines, AuditLog(log.write))):
            await until(lambda: len(engine.asked) >= 3)
            await asyncio.sleep(0.1)
            words = add_session(engine, 2)
            deadlines.observe(words.session_id, words.shared[labels.EXPIRES_AT])
            await until(lambda: not engine.containers and not engine.networks, 5)
    finally:
        await client.close()
