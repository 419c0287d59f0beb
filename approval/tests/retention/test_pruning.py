"""What is older than the policy is removed, on record, and nothing else."""

import asyncio
import uuid
import zlib
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from approval_api.database.engine import APP_ROLE, create_engine
from approval_api.reports import repository
from approval_api.retention import pruning
from approval_api.retention.pruning import prune
from approval_api.settings import RetentionPolicy, Settings

DAYS = timedelta(days=30)
OLD, NEW = 40, 20
KEPT = zlib.compress(b'{"kept": true}')


@pytest.fixture
async def app(database_url):
    """The application's own rights: no more are needed."""
    engine = create_engine(database_url, role=APP_ROLE)
    yield engine
    await engine.dispose()


@pytest.fixture
def do(engine):
    async def do(statement, **values):
        async with engine.begin() as connection:
            done = await connection.execute(text(statement), values)
            return list(done.mappings()) if done.returns_rows else []

    return do


async def session(do, days, *, phase="ended", report=True):
    known = uuid.uuid4()
    await do(
        "INSERT INTO gateway.dryrun_sessions (id, template, digest, seed, keep, requested_by, phase, "
        "outcome, ended_at) VALUES (:id, 'small', 'd', 0, false, 'ada', :phase, :outcome, "
        "now() - make_interval(days => :days))",
        id=known,
        phase=phase,
        outcome="completed" if phase == "ended" else None,
        days=days,
    )
    await do(
        "INSERT INTO gateway.dryrun_events (journal, seq, session_id, at, type, data) "
        "SELECT :id, n, :id, now(), CASE n WHEN 9 THEN 'session_ended' ELSE 'x' END, '{}' "
        "FROM generate_series(1, 9) n",
        id=known,
    )
    await do(
        "INSERT INTO gateway.dryrun_discoveries (dryrun_session_id, is_dryrun, collector, run, line, "
        "kind, key, data, confidence, found_at) "
        "VALUES (:id, true, 'n', '1', 1, 'host', '10.0.0.1', '{}', 1, now())",
        id=known,
    )
    if report:
        await do(
            "INSERT INTO gateway.dryrun_reports (session_id, state, final, figures, report) "
            "VALUES (:id, 'kept', true, '{}', :report)",
            id=known,
            report=KEPT,
        )
    return known


async def audited(do):
    rows = await do(
        "SELECT actor, object, detail FROM gateway.audit_log WHERE action = 'remove_by_policy' ORDER BY id"
    )
    return [tuple(row.values()) for row in rows]


async def count(do, table):
    return (await do(f"SELECT count(*) AS n FROM gateway.{table}"))[0]["n"]


async def test_without_a_policy_nothing_is_removed(app, do):
    await session(do, 10_000)
    assert await prune(app, RetentionPolicy()) == {}
    assert await count(do, "dryrun_sessions") == 1


async def test_old_sessions_go_with_everything_of_them_and_others_stay(app, do):
    old, young = await session(do, OLD), await session(do, NEW)
    running = await session(do, OLD, phase="scanning")
    assert await prune(app, RetentionPolicy(sessions=DAYS)) == {"sessions": 1}
    left = {row["id"] for row in await do("SELECT id FROM gateway.dryrun_sessions")}
    assert left == {young, running}
    for table in ("dryrun_events", "dryrun_discoveries"):
        assert await count(do, table) == (18 if table == "dryrun_events" else 2)
    lines = await audited(do)
    assert lines == [
        ("policy", f"events of session {old}, ended more than 30 days ago", "8 removed"),
        ("policy", f"discoveries of session {old}, ended more than 30 days ago", "1 removed"),
        ("policy", f"session {old}, ended more than 30 days ago", "1 removed"),
    ]


async def test_a_session_that_an_experiment_has_still_to_measure_stays(app, do):
    """Its run would start another one, years later."""
    unmeasured, measured = await session(do, OLD), await session(do, OLD)
    experiment = uuid.uuid4()
    await do(
        "INSERT INTO gateway.experiments (id, request, requested_by, requested_at, results_of) "
        "VALUES (:id, '{}', 'ada', now(), 0)",
        id=experiment,
    )
    for number, (of, figures) in enumerate(((unmeasured, None), (measured, "{}"))):
        await do(
            "INSERT INTO gateway.experiment_runs (experiment_id, number, session_id, measured) "
            "VALUES (:id, :number, :session, CAST(:measured AS jsonb))",
            id=experiment,
            number=number,
            session=of,
            measured=figures,
        )
    assert await prune(app, RetentionPolicy(sessions=DAYS)) == {"sessions": 1}
    assert [row["id"] for row in await do("SELECT id FROM gateway.dryrun_sessions")] == [unmeasured]


@pytest.mark.usefixtures("not_scored_ahead")
async def test_a_session_or_a_kind_that_fails_keeps_no_other(app, do, caplog):
    stuck = await session(do, OLD + 1)
    await session(do, OLD)
    await do(
        "CREATE FUNCTION gateway.refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'no'; END$$"
    )
    await do(
        "CREATE TRIGGER refuse BEFORE DELETE ON gateway.dryrun_sessions FOR EACH ROW "
        f"WHEN (OLD.id = '{stuck}') EXECUTE FUNCTION gateway.refuse()"
    )
    for table in ("discoveries", "discovery_changes"):
        await do(
            f"CREATE TRIGGER refuse BEFORE DELETE ON gateway.{table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION gateway.refuse()"
        )
    removed = await prune(app, RetentionPolicy(sessions=DAYS, discoveries=DAYS))
    assert removed == {"sessions": 1, "scans": 0, "deliveries": 0}
    assert [row["id"] for row in await do("SELECT id FROM gateway.dryrun_sessions")] == [stuck]
    failed = [(getattr(line, "kind", None), getattr(line, "session", None)) for line in caplog.records]
    assert failed == [(None, str(stuck)), ("discoveries", None), ("changes", None)]


async def test_events_go_once_a_report_is_kept_and_the_report_stays(app, api, do):
    kept, unscored = await session(do, OLD), await session(do, OLD, report=False)
    young = await session(do, NEW)
    assert await prune(app, RetentionPolicy(events=DAYS)) == {"events": 8}
    left = await do("SELECT session_id, count(*) AS n FROM gateway.dryrun_events GROUP BY session_id")
    assert {row["session_id"]: row["n"] for row in left} == {kept: 1, unscored: 9, young: 9}
    answer = await api.get(f"/sessions/{kept}/report")
    assert (answer.status_code, answer.json()) == (200, {"kept": True})
    state = await do("SELECT state, report FROM gateway.dryrun_reports WHERE session_id = :id", id=kept)
    assert [(bytes(row["state"]), bytes(row["report"])) for row in state] == [(b"kept", KEPT)]
    assert await prune(app, RetentionPolicy(events=DAYS)) == {"events": 0}


async def test_events_go_also_where_an_earlier_removal_did_not_finish(app, do):
    await session(do, OLD)
    await do("UPDATE gateway.dryrun_sessions SET events_removed_at = now()")
    assert await prune(app, RetentionPolicy(events=DAYS)) == {"events": 8}
    assert await prune(app, RetentionPolicy(events=DAYS)) == {"events": 0}


@pytest.mark.usefixtures("not_scored_ahead")
async def test_a_report_that_is_computed_while_events_go_does_not_replace_the_kept_one(
    app, api, do, monkeypatch
):
    known = await session(do, OLD)
    read = repository.read_inputs

    async def read_late(connection, state):
        await prune(app, RetentionPolicy(events=DAYS))
        return await read(connection, state)

    monkeypatch.setattr(repository, "read_inputs", read_late)
    answer = await api.get(f"/sessions/{known}/report")
    assert (answer.status_code, answer.json()) == (200, {"kept": True})
    [row] = await do("SELECT state, report FROM gateway.dryrun_reports WHERE session_id = :id", id=known)
    assert (bytes(row["state"]), bytes(row["report"])) == (b"kept", KEPT)


async def test_events_stay_where_the_report_failed_meanwhile(app, do, monkeypatch):
    await session(do, OLD)
    listed = pruning._ids

    async def list_early(*given):
        known = await listed(*given)
        await do("UPDATE gateway.dryrun_reports SET report = NULL, figures = NULL, failure = 'too slow'")
        return known

    monkeypatch.setattr(pruning, "_ids", list_early)
    assert await prune(app, RetentionPolicy(events=DAYS)) == {"events": 0}
    assert await count(do, "dryrun_events") == 9


async def test_production_discoveries_go_when_they_are_gone_and_that_was_approved(app, do):
    for number, (days, status) in enumerate(
        [(OLD, "approved"), (OLD, "rejected"), (OLD, "pending"), (NEW, "approved"), (None, "approved")]
    ):
        await do(
            "INSERT INTO gateway.discoveries (collector, kind, key, data, confidence, status, change, "
            "gone_at) VALUES "
            "('n', 'host', :key, '{}', 1, :status, :change, now() - make_interval(days => :days))",
            key=f"10.0.0.{number}",
            status=status,
            change="new" if days is None else "gone",
            days=days,
        )
    await do(
        "INSERT INTO gateway.discovery_changes (discovery_id, revision, at, before, after) "
        "SELECT id, n, now() - make_interval(days => n * 20), '{}', '{}' "
        "FROM gateway.discoveries, generate_series(1, 2) n WHERE key = '10.0.0.4'"
    )
    await do(
        "INSERT INTO gateway.production_scans (id, collector, targets, excluded, profile, started_by, "
        "started_at, reported_at) SELECT gen_random_uuid(), 'n', '{10.0.0.0/8}', '{}', 'full', 'ada', "
        "now() - interval '50 days', now() - make_interval(days => n) FROM generate_series(20, 40, 20) n"
    )
    removed = await prune(app, RetentionPolicy(discoveries=DAYS))
    assert removed == {"discoveries": 1, "changes": 1, "scans": 1, "deliveries": 0}
    left = await do("SELECT key FROM gateway.discoveries ORDER BY key")
    # A rejection stays, for rules to heed.
    assert [row["key"] for row in left] == [f"10.0.0.{number}" for number in (1, 2, 3, 4)]
    assert len(await audited(do)) == 3


async def test_a_discovery_that_returns_at_this_moment_stays(app, do, engine):
    await do(
        "INSERT INTO gateway.discoveries (collector, kind, key, data, confidence, status, change, gone_at) "
        "VALUES ('n', 'host', '10.0.0.1', '{}', 1, 'approved', 'gone', now() - interval '40 days')"
    )
    async with engine.begin() as reporting:
        await reporting.execute(
            text("UPDATE gateway.discoveries SET gone_at = NULL, change = 'returned', status = 'pending'")
        )
        removed = await asyncio.wait_for(prune(app, RetentionPolicy(discoveries=DAYS)), 5)
    assert removed["discoveries"] == 0
    assert [row["change"] for row in await do("SELECT change FROM gateway.discoveries")] == ["returned"]


async def test_finished_deliveries_go_with_their_items_and_open_ones_stay(app, do):
    (destination,) = await do(
        "INSERT INTO gateway.destinations (id, name, request, created_by) "
        "VALUES (gen_random_uuid(), 'x', '{}', 'ada') RETURNING id"
    )
    made = {}
    for number, (days, approved, state) in enumerate(
        [
            (OLD, True, "delivered"),
            (OLD, True, "waiting"),
            (OLD, True, "dead"),
            (OLD, False, "planned"),
            (NEW, True, "delivered"),
        ]
    ):
        (delivery,) = await do(
            "INSERT INTO gateway.deliveries (id, destination_id, requested_by, requested_at, approved_at, "
            "unchanged, more) VALUES (gen_random_uuid(), :destination, 'ada', "
            "now() - make_interval(days => :days), CASE WHEN :approved THEN now() END, 0, false) "
            "RETURNING id",
            destination=destination["id"],
            days=days,
            approved=approved,
        )
        made[delivery["id"]] = number
        await do(
            "INSERT INTO gateway.delivery_items (delivery_id, destination_id, discovery_id, host, kind, key, "
            "revision, digest, content, action, state) SELECT :delivery, :destination, :number * 10 + n, "
            "'h', 'host', 'h', 1, '', '{}', 'create', :state FROM generate_series(1, 2) n",
            delivery=delivery["id"],
            destination=destination["id"],
            number=number,
            state=state,
        )
    discarded = "UPDATE gateway.deliveries SET discarded_at = now(), approved_at = NULL"
    assert (await prune(app, RetentionPolicy(discoveries=DAYS)))["deliveries"] == 1
    left = await do("SELECT id FROM gateway.deliveries")
    assert sorted(made[row["id"]] for row in left) == [1, 2, 3, 4]
    assert await count(do, "delivery_items") == 8
    await do(discarded)
    assert (await prune(app, RetentionPolicy(discoveries=DAYS)))["deliveries"] == 3
    assert await count(do, "delivery_items") == 2
    assert [detail for _, _, detail in await audited(do)] == [
        "2 removed",
        "1 removed",
        "6 removed",
        "3 removed",
    ]


async def test_the_audit_log_loses_its_oldest_lines_and_says_so_and_no_young_ones(app, do):
    await do(
        "INSERT INTO gateway.audit_log (at, action, outcome) "
        "SELECT now() - make_interval(days => n), 'x', 'done' FROM generate_series(200, 1, -1) n"
    )
    assert await prune(app, RetentionPolicy(audit=timedelta(days=100))) == {"audit": 101}
    assert await count(do, "audit_log") == 100
    assert await audited(do) == [
        ("policy", "lines of the audit log from more than 100 days ago", "101 removed")
    ]
    for statement in (
        "SELECT gateway.prune_audit_log(interval '89 days', 10)",
        "DELETE FROM gateway.audit_log",
        "UPDATE gateway.audit_log SET actor = 'x'",
    ):
        with pytest.raises(DBAPIError):
            async with app.begin() as connection:
                await connection.execute(text(statement))
    with pytest.raises(ValueError, match="at least 90"):
        Settings.model_validate({"keep_audit_days": 89, "database_url": "postgresql+asyncpg:///x"})


async def test_many_are_removed_in_batches_and_by_one_process_at_a_time(app, do, monkeypatch):
    monkeypatch.setattr(pruning, "BATCH_ROWS", 10)
    await do(
        "INSERT INTO gateway.audit_log (at, action, outcome) "
        "SELECT now() - interval '200 days', 'x', 'done' FROM generate_series(1, 35)"
    )
    async with app.begin() as connection:
        assert await connection.scalar(pruning._LOCK)
        assert await prune(app, RetentionPolicy(audit=timedelta(days=100))) == {"audit": 0}
    assert await prune(app, RetentionPolicy(audit=timedelta(days=100))) == {"audit": 35}
    assert [detail for _, _, detail in await audited(do)] == [
        "10 removed",
        "10 removed",
        "10 removed",
        "5 removed",
    ]


@pytest.mark.parametrize("programs", ["ada/admin"])
async def test_administrators_read_the_policy_and_what_it_removed(api, app, do):
    await session(do, OLD)
    await prune(app, RetentionPolicy(sessions=DAYS))
    shown = (await api.client.get("/api/v1/retention")).json()
    assert (shown["sessions_days"], shown["audit_days"]) == (None, None)
    assert [each["detail"] for each in shown["removed"]] == ["1 removed", "1 removed", "8 removed"]
