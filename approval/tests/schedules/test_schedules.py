"""Schedules as clients see them: each time once, what was missed once, and an end to what only fails."""

import asyncio

import pytest
from made_schedules import EXPERIMENT, WANTED, create, fired, move_clock, show, states
from sqlalchemy import text

from approval_api.access import large_answers
from approval_api.app import create_app
from approval_api.schedules import firings
from approval_api.schedules.service import MOST_OF_ONE, Schedules
from dryrun_serving.ceiling import Ceiling


async def test_a_schedule_says_when_it_is_due_and_as_whom_it_runs(api):
    schedule = await show(api, await create(api))
    assert schedule["next_at"].endswith("T01:30:00Z") or schedule["next_at"].endswith("T00:30:00Z")
    assert (schedule["owner"], schedule["paused_because"], schedule["firings"]) == ("program:ada", None, [])


async def test_a_due_time_makes_one_experiment_and_its_recall_is_the_trends(api, scanned, eventually):
    scanned()
    schedule_id = await create(api)
    await move_clock(api, schedule_id)
    await fired(api, schedule_id, 1, eventually)

    async def measured():
        schedule = await show(api, schedule_id)
        return schedule if schedule["firings"][0]["arms"] else None

    schedule = await eventually(measured, 30)
    (firing,) = schedule["firings"]
    assert (firing["state"], firing["experiment"]["requested_by"]) == ("started", "program:ada")
    assert firing["experiment"]["request"]["name"].startswith("nightly 20")
    (arm,) = firing["arms"]
    assert 0 < arm["services"]["value"] <= 1
    assert set(arm["images"]) >= {"network"}
    assert schedule["next_at"] > firing["due_at"]
    # Whatever else the results hold stays in the database: a schedule shows a hundred of them.
    async with api.app.state.engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE gateway.experiments SET results = jsonb_set(jsonb_set(results, '{arms,0,rows}',"
                """ '[{"no": "row"}]' || (results #> '{arms,0,rows}')), '{false_differences}', '"none"')"""
            )
        )
    assert (await show(api, schedule_id))["firings"] == [firing]


async def test_whatever_was_missed_is_caught_up_once(api, scanned, eventually):
    scanned()
    schedule_id = await create(api, cron="*/5 * * * *")
    await move_clock(api, schedule_id, "30 days")
    schedule = await fired(api, schedule_id, 1, eventually)
    await asyncio.sleep(1.5)
    schedule = await show(api, schedule_id)
    assert states(schedule) == ["started"]


async def test_schedules_and_trends_take_their_turn(api, monkeypatch):
    schedule_id = await create(api)
    monkeypatch.setattr(large_answers, "PLACE_SECONDS", 0.01)
    monkeypatch.setitem(api.app.state.large_answers, "lists", Ceiling(0, 0))
    for path in (
        f"/api/v1/dryrun/schedules/{schedule_id}",
        f"/api/v1/dryrun/schedules/{schedule_id}/trend",
        "/api/v1/dryrun/trends?template=small",
        f"/dryrun/schedules/{schedule_id}",
        "/dryrun/trends",
    ):
        assert (await api.client.get(path)).status_code == 503, path


@pytest.mark.whole_pool
async def test_several_processes_start_each_time_once(api, orchestrator, eventually):
    engine, experiments = api.app.state.engine, api.app.state.experiments
    schedule_id = await create(api)
    await move_clock(api, schedule_id)
    others = [Schedules(engine, experiments) for _ in range(4)]
    await asyncio.gather(*(each.work_once() for each in others))
    await fired(api, schedule_id, 1, eventually)
    listed = (await api.get("/experiments")).json()["experiments"]
    assert len(listed) == 1


async def test_a_claimed_time_survives_a_kill_before_its_experiment(
    settings, orchestrator, serving, eventually
):
    async with serving(create_app(settings, orchestrator_transport=orchestrator)) as api:
        schedule_id = await create(api)

        async def dies(*_):
            raise RuntimeError("as if killed")

        api.app.state.schedules._start = dies
        await move_clock(api, schedule_id)

        async def claimed():
            return "starting" in states(await show(api, schedule_id))

        await eventually(claimed)
    async with serving(create_app(settings, orchestrator_transport=orchestrator)) as api:
        async with api.app.state.engine.begin() as connection:
            await connection.execute(text("UPDATE gateway.schedule_firings SET tried_at = NULL"))
        schedule = await fired(api, schedule_id, 1, eventually)
        assert states(schedule) == ["started"]


async def test_a_time_that_comes_while_the_last_experiment_runs_is_skipped(api, eventually):
    schedule_id = await create(api)
    await move_clock(api, schedule_id, "2 hours")
    await fired(api, schedule_id, 1, eventually)
    await move_clock(api, schedule_id)
    schedule = await fired(api, schedule_id, 2, eventually)
    assert states(schedule) == ["skipped", "started"]
    assert "still runs" in schedule["firings"][0]["reason"]


async def test_three_failures_in_a_row_pause_it_at_once_and_a_resumed_one_begins_anew(api, eventually):
    schedule_id = await create(api)
    async with api.app.state.engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE gateway.schedules SET request = replace(request::text, 'small', 'gone')::json"
                " WHERE id = CAST(:id AS uuid)"
            ),
            {"id": schedule_id},
        )
    for hours in (4, 3, 2):
        await move_clock(api, schedule_id, f"{hours} hours")
        schedule = await fired(api, schedule_id, 5 - hours, eventually)
    assert states(schedule) == ["failed"] * 3
    assert "gone" in schedule["firings"][0]["reason"]

    async def paused():
        schedule = await show(api, schedule_id)
        return schedule if schedule["next_at"] is None else None

    schedule = await eventually(paused)
    assert "the last 3 times failed" in schedule["paused_because"]
    resumed = (await api.post(f"/schedules/{schedule_id}/resume")).json()
    assert (resumed["next_at"] is not None, resumed["paused_because"]) == (True, None)


async def test_a_paused_schedule_does_not_fire_and_a_removed_one_leaves_its_experiments(api, eventually):
    schedule_id = await create(api)
    await move_clock(api, schedule_id)
    await fired(api, schedule_id, 1, eventually)
    paused = (await api.post(f"/schedules/{schedule_id}/pause")).json()
    assert (paused["next_at"], paused["paused_because"]) == (None, "paused by program:ada")
    removed = await api.client.delete(f"/api/v1/dryrun/schedules/{schedule_id}")
    assert removed.status_code == 204
    assert (await api.get(f"/schedules/{schedule_id}")).status_code == 404
    assert len((await api.get("/experiments")).json()["experiments"]) == 1


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"cron": "* * * * *"}, 422, "more often than every 5 minutes"),
        ({"cron": "nonsense"}, 422, ""),
        ({"timezone": "Nowhere/City"}, 422, "no time zone"),
        ({"experiment": EXPERIMENT | {"templates": ["unknown"]}}, 404, "unknown"),
        ({"command": "rm"}, 422, ""),
    ],
)
async def test_what_cannot_be_scheduled_is_refused_before_it_is_stored(api, changes, status, words):
    answer = await api.post("/schedules", json=WANTED | changes)
    assert answer.status_code == status
    assert words in answer.text
    assert (await api.get("/schedules")).json()["schedules"] == []


async def test_one_person_has_a_bounded_number_of_them(api):
    for _ in range(MOST_OF_ONE):
        await create(api)
    answer = await api.post("/schedules", json=WANTED)
    assert (answer.status_code, answer.json()["type"]) == (429, "urn:dryrun:problem:too-many-schedules")


async def test_a_schedule_ends_with_its_owners_role(api, eventually):
    schedule_id = await create(api)

    async def lost(_):
        return False

    api.app.state.experiments.may_run = lost
    await move_clock(api, schedule_id)
    schedule = await fired(api, schedule_id, 1, eventually)
    assert (states(schedule), schedule["next_at"]) == (["skipped"], None)
    assert schedule["paused_because"] == "program:ada may not start sessions any more"
    assert (await api.get("/experiments")).json()["experiments"] == []


async def test_a_claimed_time_does_not_start_once_its_schedule_is_paused(api, eventually):
    schedule_id = await create(api)

    async def paused_meanwhile(*_):
        assert (await api.post(f"/schedules/{schedule_id}/pause")).status_code == 202

    api.app.state.experiments.try_every_arm = paused_meanwhile
    await move_clock(api, schedule_id)
    schedule = await fired(api, schedule_id, 1, eventually)
    assert states(schedule) == ["skipped"]
    assert (await api.get("/experiments")).json()["experiments"] == []


async def test_nobodys_waiting_times_keep_anothers_from_starting(api, eventually):
    schedules = api.app.state.schedules
    begun = []

    async def note(due):
        begun.append(due.owner)

    schedules._start = note
    crowd = [await create(api) for _ in range(9)]
    other = await create(api)
    async with api.app.state.engine.begin() as connection:
        await connection.execute(
            text("UPDATE gateway.schedules SET owner = 'bob' WHERE id = CAST(:id AS uuid)"), {"id": other}
        )
        await connection.execute(
            text(
                "INSERT INTO gateway.schedule_firings (schedule_id, due_at)"
                " SELECT id, now() - (CASE owner WHEN 'bob' THEN 1 ELSE 9 END) * interval '1 hour'"
                " FROM gateway.schedules"
            )
        )

    async def all_tried():
        return len(begun) == len(crowd) + 1

    await eventually(all_tried)
    assert "bob" in begun[:4], "with the first of the others, although theirs are older"


async def test_a_schedule_of_another_version_stops_no_other(api, eventually):
    broken, whole = await create(api), await create(api)
    async with api.app.state.engine.begin() as connection:
        await connection.execute(
            text("UPDATE gateway.schedules SET request = CAST(:other AS json) WHERE id = CAST(:id AS uuid)"),
            {"id": broken, "other": '{"when": "soon"}'},
        )
    await move_clock(api, broken)
    await move_clock(api, whole)
    await fired(api, whole, 1, eventually)
    listed = (await api.get("/schedules")).json()["schedules"]
    assert [each["id"] for each in listed] == [whole]


async def test_a_schedule_that_is_resumed_while_its_failures_are_counted_goes_on(
    api, engine, eventually, monkeypatch
):
    """Another process paused it for them, and somebody has seen to that."""
    schedule_id = await create(api)
    failing, overtaken = firings.failing, []

    async def resumed_meanwhile(*which):
        found = await failing(*which)
        if found:
            async with engine.begin() as connection:
                await connection.execute(text("UPDATE gateway.schedules SET resumed_at = now()"))
            overtaken.append(found)
        return found

    monkeypatch.setattr(firings, "failing", resumed_meanwhile)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.schedules SET resumed_at = now() - interval '1 day'"))
        await connection.execute(
            text(
                "INSERT INTO gateway.schedule_firings (schedule_id, due_at, failure)"
                " SELECT id, now() - n * interval '1 hour', 'no' FROM gateway.schedules,"
                " generate_series(1, 3) n"
            )
        )

    async def counted():
        return overtaken

    await eventually(counted)
    await asyncio.sleep(0.3)
    assert (await show(api, schedule_id))["paused_because"] is None


async def test_a_schedule_whose_time_zone_is_gone_is_not_resumed_and_the_answer_says_why(api):
    schedule = await create(api)
    async with api.app.state.engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE gateway.schedules SET paused_because = 'gone', next_at = NULL,"
                """ request = request::jsonb || '{"timezone": "Mars/Olympus"}' WHERE id = CAST(:id AS uuid)"""
            ),
            {"id": schedule},
        )
    answer = await api.post(f"/schedules/{schedule}/resume")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:dryrun:problem:not-a-schedule")
    assert "there is no time zone 'Mars/Olympus'" in answer.json()["detail"]
    assert "Make another schedule" in answer.json()["detail"]
