"""Each occasion is noticed once, for whoever it concerns, and only what happened since they asked."""

import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from made_deliveries import store_deliveries
from sqlalchemy import text

from approval_api.notifications import repository
from approval_api.notifications.noticing import Noticing
from approval_api.schedules import repository as schedules
from dryrun_contract.notification import OCCASIONS, ChannelRequest


async def add_person(engine, name, *, active=True):
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO gateway.people (id, name, display_name, roles, active, created_by) "
                "VALUES (gen_random_uuid(), :name, :name, '{viewer}', :active, 'the test')"
            ),
            {"name": name, "active": active},
        )


async def add_channel(engine, owner, **wanted):
    request = ChannelRequest.model_validate(
        {"name": "x", "kind": "email", "address": "a@example.com", "occasions": OCCASIONS, **wanted}
    )
    channel = uuid4()
    async with engine.begin() as connection:
        await repository.add(connection, channel, request, owner, None)
        await connection.execute(
            text("UPDATE gateway.channels SET created_at = now() - interval '1 hour' WHERE id = :id"),
            {"id": channel},
        )
    return channel


async def add_session(engine, whose="ada", ended="now()", **columns):
    session = uuid4()
    given = {"outcome": "failed", "reason": "web did not become healthy", "phase": "ended", **columns}
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO gateway.dryrun_sessions (id, template, digest, seed, keep, requested_by, phase, "
                "outcome, "
                f"reason, ended_at, expires_at) VALUES (:id, 'small', 'd', 0, false, :whose, :phase, "
                f":outcome, :reason, {ended}, now() - interval '2 minutes')"
            ),
            {"id": session, "whose": whose, **given},
        )
    return session


async def sent_to(engine, channel):
    await Noticing(engine).work_once()
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT occasion, text FROM gateway.notifications WHERE channel_id = :id ORDER BY id"),
            {"id": channel},
        )
        return [(row.occasion, row.text) for row in rows]


@pytest.fixture
async def ada(engine):
    await add_person(engine, "ada")
    return await add_channel(engine, "ada")


async def test_a_failed_session_is_reported_once_to_its_owner(engine, ada):
    session = await add_session(engine)
    await add_session(engine, whose="bob")
    await add_session(engine, outcome="completed")
    await add_session(engine, ended="now() - interval '2 hours'")
    expected = [("session_failed", f"Session {str(session)[:8]} of small failed: web did not become healthy")]
    assert await sent_to(engine, ada) == expected
    assert await sent_to(engine, ada) == expected


async def test_who_wants_to_hear_of_others_does_and_who_left_hears_nothing(engine, ada):
    await add_person(engine, "gone", active=False)
    everything = await add_channel(engine, "ada", everybody=True)
    left = await add_channel(engine, "gone", everybody=True)
    only = await add_channel(engine, "ada", everybody=True, occasions=["delivery_stuck"])
    await add_session(engine, whose="bob")
    assert [len(await sent_to(engine, each)) for each in (ada, everything, left, only)] == [0, 1, 0, 0]


async def add_harm(engine, **session):
    harmed = await add_session(engine, outcome="completed", **session)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO gateway.dryrun_reports (session_id, state, final, computed_at, figures, report) "
                "VALUES (:id, '', true, now(), CAST(:figures AS jsonb), '')"
            ),
            {"id": harmed, "figures": json.dumps({"harmed": 2})},
        )


async def test_harm_and_late_cleanup_are_reported(engine, ada):
    await add_harm(engine)
    late = await add_session(engine, phase="cleaning_up", outcome=None, ended="NULL")
    found = dict(await sent_to(engine, ada))
    assert "harmed 2 of its targets" in found["targets_harmed"]
    assert str(late)[:8] in found["cleanup_late"]


async def test_a_stuck_delivery_and_a_token_that_expires_are_reported(engine, ada):
    delivery = await store_deliveries(engine)
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE gateway.delivery_items SET state = 'delivered' "
                "WHERE delivery_id = :id AND state = 'waiting'"
            ),
            {"id": delivery},
        )
        await connection.execute(
            text("UPDATE gateway.delivery_items SET answered_at = now() WHERE state = 'dead'")
        )
        await connection.execute(
            text(
                "INSERT INTO gateway.api_tokens (id, person_id, label, secret_sha256, scopes, expires_at) "
                "SELECT gen_random_uuid(), id, 'pipeline', 'x', '{read}', now() + interval '3 days' "
                "FROM gateway.people"
            )
        )
    found = dict(await sent_to(engine, ada))
    assert "The delivery to cmdb is stuck: 1 given up" in found["delivery_stuck"]
    assert found["credential_expiring"].startswith("The token pipeline expires on ")


async def test_a_delivery_that_is_stuck_again_is_reported_again(engine, ada):
    delivery = await store_deliveries(engine)

    async def change(state, before):
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "UPDATE gateway.delivery_items SET state = :state, answered_at = now() "
                    "WHERE delivery_id = :id AND state = ANY(:before)"
                ),
                {"id": delivery, "state": state, "before": before},
            )

    await change("dead", ["waiting", "dead"])
    stuck = ("delivery_stuck", "The delivery to cmdb is stuck: 6 given up")
    assert await sent_to(engine, ada) == [stuck]
    assert await sent_to(engine, ada) == [stuck]
    await change("waiting", ["dead"])
    assert await sent_to(engine, ada) == [stuck]
    await change("dead", ["waiting"])
    assert await sent_to(engine, ada) == [stuck, stuck]


def results(recall, low):
    row = {"kind": "service", "attribute": None, "recall": {"value": recall, "low": low, "high": 1}}
    return json.dumps({"arms": [{"arm": "network", "rows": [row]}]})


async def add_run(engine, schedule, nights, recall, low, passed, ended="now()"):
    experiment, session = uuid4(), await add_session(engine, outcome="completed", ended=ended)
    async with engine.begin() as connection:
        for statement in (
            (
                "INSERT INTO gateway.experiments (id, request, requested_by, results, results_of) "
                "VALUES (:experiment, '{}', 'ada', CAST(:results AS jsonb), 1)"
            ),
            (
                "INSERT INTO gateway.experiment_runs (experiment_id, number, session_id, measured) "
                "VALUES (:experiment, 0, :session, '{}')"
            ),
            (
                "INSERT INTO gateway.dryrun_reports (session_id, state, final, computed_at, figures, report) "
                "VALUES (:session, '', true, now(), CAST(:figures AS jsonb), '')"
            ),
            (
                "INSERT INTO gateway.schedule_firings (schedule_id, due_at, experiment_id) "
                "VALUES (:schedule, now() - :nights * interval '1 day', :experiment)"
            ),
        ):
            names = {
                "experiment": experiment,
                "session": session,
                "schedule": schedule,
                "nights": nights,
                "results": results(recall, low),
                "figures": json.dumps({"harmed": 0, "passed": passed}),
            }
            used = {name: value for name, value in names.items() if f":{name}" in statement}
            await connection.execute(text(statement), used)


@pytest.fixture
async def schedule(engine) -> UUID:
    schedule = uuid4()
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO gateway.schedules (id, request, owner) "
                "VALUES (:id, CAST(:request AS json), 'ada')"
            ),
            {"id": schedule, "request": json.dumps({"experiment": {"name": "nightly"}})},
        )
    return schedule


async def test_a_run_that_got_worse_than_chance_explains_is_reported(engine, ada, schedule):
    await add_run(engine, schedule, 2, 0.95, 0.90, passed=True)
    await add_run(engine, schedule, 1, 0.42, 0.35, passed=False)
    assert dict(await sent_to(engine, ada)) == {
        "verdict_changed": "Schedule nightly: its verdict was passed and is failed",
        "recall_regressed": "Schedule nightly: recall of services fell: network 0.95 → 0.42",
    }


async def test_what_happened_before_is_no_news_when_its_report_is_computed_anew(engine, ada, schedule):
    before = "now() - interval '2 hours'"
    await add_harm(engine, ended=before)
    await add_run(engine, schedule, 2, 0.95, 0.90, passed=True, ended=before)
    await add_run(engine, schedule, 1, 0.42, 0.35, passed=False, ended=before)
    assert await sent_to(engine, ada) == []


async def test_no_run_is_compared_while_reports_of_an_earlier_version_are_scored_anew(engine, ada, schedule):
    await add_run(engine, schedule, 2, 0.95, 0.90, passed=True)
    await add_run(engine, schedule, 1, 0.42, 0.35, passed=False)
    await add_session(engine)
    await Noticing(engine, lambda: False).work_once()
    async with engine.connect() as connection:
        noticed = await connection.execute(text("SELECT occasion FROM gateway.notifications"))
        assert list(noticed.scalars()) == ["session_failed"]
    assert len(await sent_to(engine, ada)) == 3, "then it is told of all the same"


async def test_a_run_within_the_last_ones_interval_is_not(engine, ada, schedule):
    await add_run(engine, schedule, 2, 0.95, 0.90, passed=True)
    await add_run(engine, schedule, 1, 0.91, 0.85, passed=True)
    assert await sent_to(engine, ada) == []


async def test_a_schedule_that_stops_by_itself_is_reported_once_and_one_that_somebody_pauses_is_not(
    engine, ada, schedule
):
    async def pause(**how):
        async with engine.begin() as connection:
            await schedules.pause(connection, schedule, "the last 3 times failed", **how)

    await pause()
    await pause(by_itself=True)
    assert await sent_to(engine, ada) == [], "it was paused already"
    stopped = ("schedule_stopped", "Schedule nightly stopped: the last 3 times failed")
    for times in (1, 2):
        async with engine.begin() as connection:
            await schedules.resume(connection, schedule, datetime.now(UTC))
        await pause(by_itself=True)
        await pause()
        for _ in range(2):
            assert await sent_to(engine, ada) == [stopped] * times
