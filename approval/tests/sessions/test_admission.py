"""Places: how many sessions run at once, who waits, and where in the queue."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text

from approval_api.app import create_app
from approval_api.sessions.admission import Limits
from dryrun_contract.event import NetworkCreated, PhaseChanged, SessionEnded
from dryrun_contract.session import Outcome, Phase

HTML = {"Accept": "text/html"}
BOB = {"Authorization": "Bearer another-token-of-the-tests"}


@pytest.fixture
async def api(settings, orchestrator, serving):
    few = {"sessions_at_once": 3, "sessions_per_person": 2, "sessions_waiting": 4, "heartbeat_seconds": 15}
    app = create_app(settings.model_copy(update=few), orchestrator_transport=orchestrator)
    async with serving(app) as api:
        yield api


async def start(api, headers=None):
    answer = await api.post("/sessions", json={"template": "small"}, headers=headers)
    return answer.json() if answer.status_code == 201 else answer.status_code


async def states(api, *sessions):
    shown = [(await api.get(f"/sessions/{session['id']}")).json() for session in sessions]
    return [(session["phase"], session["queue_position"]) for session in shown]


def asked(orchestrator):
    return [str(session_id) for session_id in orchestrator.sessions]


async def test_over_a_persons_limit_a_session_waits_and_shows_its_position(api, orchestrator):
    first, second, third, fourth = [await start(api) for _ in range(4)]
    assert asked(orchestrator) == [first["id"], second["id"]]
    assert (third["phase"], third["accepted_at"]) == ("requested", None)
    assert "free place" in third["reason"]
    positions = [position for _, position in await states(api, third, fourth)]
    assert positions[0] < positions[1]


async def test_who_waits_for_their_own_places_holds_up_nobody_else(api, orchestrator):
    mine = [await start(api) for _ in range(3)]
    bobs = await start(api, BOB)
    assert asked(orchestrator) == [mine[0]["id"], mine[1]["id"], bobs["id"]]
    assert (await start(api, BOB))["phase"] == "requested"


async def test_a_place_that_becomes_free_goes_to_the_oldest(api, orchestrator, eventually):
    first, _, third, fourth = [await start(api) for _ in range(4)]
    orchestrator.tell(UUID(first["id"]), SessionEnded(outcome=Outcome.COMPLETED))

    async def taken():
        return asked(orchestrator)[-1] == third["id"]

    await eventually(taken)
    assert fourth["id"] not in asked(orchestrator)
    puts = [request for request in orchestrator.requests if third["id"] in request.url.path]
    assert puts[-1].headers["x-actor"] == "program:ada"


async def kept(api, orchestrator, eventually, *sessions):
    """Have these sessions kept after their scan, as far as the API knows."""
    for session in sessions:
        orchestrator.tell(
            UUID(session["id"]),
            NetworkCreated(
                name=f"dryrun-{session['id']}", subnet="10.213.0.0/27", expires_at="2026-11-30T10:30:01Z"
            ),
        )
        orchestrator.tell(UUID(session["id"]), PhaseChanged(phase=Phase.KEPT))

    async def are_kept():
        return [phase for phase, _ in await states(api, *sessions)] == ["kept"] * len(sessions)

    await eventually(are_kept)


async def test_who_waits_is_told_which_sessions_hold_the_places_and_how_to_free_one(
    api, orchestrator, eventually
):
    bobs = await start(api, BOB)
    first, second = sorted([await start(api), await start(api)], key=lambda session: session["id"])
    await kept(api, orchestrator, eventually, bobs, first, second)
    waiting = await start(api)

    reason = (await api.get(f"/sessions/{waiting['id']}")).json()["reason"]
    assert reason == (
        "waiting for a free place; "
        f"{first['id'][:8]} (kept until 10:30 UTC, by program:ada), "
        f"{second['id'][:8]} (kept until 10:30 UTC, by program:ada) and "
        f"{bobs['id'][:8]} (kept until 10:30 UTC, by program:bob) hold the places; "
        f"to free one: dryrun stop {first['id'][:8]}"
    )
    assert {each["id"]: each["reason"] for each in (await api.get("/sessions")).json()["sessions"]} == {
        waiting["id"]: reason,
        **{each["id"]: None for each in (bobs, first, second)},
    }
    page = (await api.client.get(f"/dryrun/sessions/{waiting['id']}", headers=HTML)).text
    links = [f'<a href="/dryrun/sessions/{each["id"]}">' for each in (first, second, bobs)]
    assert [link in page for link in links] == [True] * 3


async def test_who_waits_behind_one_that_waits_for_something_else_is_told_that(api, orchestrator, eventually):
    """No place is what is missing then, and none becomes free."""
    said = "waiting for a host that it fits on: alpha is drained"
    first, second, waiting = await start(api), await start(api), await start(api)
    for each in (first, second):
        orchestrator.tell(UUID(each["id"]), PhaseChanged(phase=Phase.QUEUED, reason=said))

    async def told():
        return (await api.get(f"/sessions/{waiting['id']}")).json()["reason"].partition(": ")

    async def is_told():
        return (await told())[2] == said

    await eventually(is_told)
    assert (await told())[0] == f"waiting in the queue behind {first['id'][:8]}"
    page = (await api.client.get(f"/dryrun/sessions/{waiting['id']}", headers=HTML)).text
    assert said in page
    assert "when a place is free" not in page


async def test_who_waits_behind_others_is_told_it(api, orchestrator, eventually):
    """The place that is freed goes to the first."""
    held = [await start(api), await start(api)]
    await kept(api, orchestrator, eventually, *held)
    first, second = await start(api), await start(api)
    reasons = [(await api.get(f"/sessions/{each['id']}")).json()["reason"] for each in (first, second)]
    assert reasons[0].startswith("waiting for a free place; ")
    assert reasons[1] == reasons[0].replace("place;", "place as number 2 in the queue;")


async def test_an_open_page_of_a_session_that_waits_follows_those_that_hold_the_places(
    api, orchestrator, eventually
):
    """Nothing happens to the session itself meanwhile."""
    held = [await start(api), await start(api)]
    waiting = await start(api)
    status = ""
    async with (
        asyncio.timeout(10),
        api.client.stream("GET", f"/dryrun/sessions/{waiting['id']}/live") as answer,
    ):
        async for line in answer.aiter_lines():
            status += line
            if "The places are held by" in status:
                break
            if 'data-phase="requested"' in line:
                await kept(api, orchestrator, eventually, *held)
    assert held[0]["id"] in status


async def test_a_report_names_neither_the_sessions_that_hold_the_places_nor_a_position(
    api, orchestrator, eventually
):
    held = [await start(api), await start(api)]
    await kept(api, orchestrator, eventually, *held)
    waiting = await start(api)
    assert held[0]["id"][:8] in (await api.get(f"/sessions/{waiting['id']}")).json()["reason"]
    answer = await api.get(f"/sessions/{waiting['id']}/report")
    session = answer.json()["session"]
    assert (session["phase"], session["reason"], session["queue_position"]) == ("requested", None, None)


async def test_who_waits_at_the_orchestrator_is_told_it_as_well(api, orchestrator, engine, eventually):
    holds, waits = await start(api), await start(api)
    await kept(api, orchestrator, eventually, holds)

    async def reason():
        return (await api.get(f"/sessions/{waits['id']}")).json()["reason"]

    # One that starts at once waits for nobody.
    assert await reason() is None
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE gateway.dryrun_sessions SET accepted_at = now() - interval '3 s' WHERE id = :id"),
            {"id": waits["id"]},
        )
    assert f"{holds['id'][:8]} (kept until 10:30 UTC, by program:ada) holds the place;" in await reason()
    page = (await api.client.get(f"/dryrun/sessions/{waits['id']}", headers=HTML)).text
    assert ("Waiting for <time" in page, "Running for" in page) == (True, False)


async def test_who_waits_for_something_else_than_a_place_is_told_that(api, orchestrator, engine, eventually):
    """Nobody is sent to stop a session that is not in the way."""
    holds, waits = await start(api), await start(api)
    await kept(api, orchestrator, eventually, holds)
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE gateway.dryrun_sessions SET accepted_at = now() - interval '3 s' WHERE id = :id"),
            {"id": waits["id"]},
        )

    async def shown():
        return (await api.get(f"/sessions/{waits['id']}")).json()

    async def told(phase, reason):
        orchestrator.tell(UUID(waits["id"]), PhaseChanged(phase=phase, reason=reason))

        async def is_shown():
            session = await shown()
            return session["phase"] == phase and "free place" not in (session["reason"] or "")

        await eventually(is_shown)
        return (await shown())["reason"]

    said = "waiting for a host that it fits on: alpha is drained"
    assert await told(Phase.QUEUED, said) == said
    page = (await api.client.get(f"/dryrun/sessions/{waits['id']}", headers=HTML)).text
    assert (said in page, "when a place is free" in page, holds["id"][:8] in page) == (True, False, False)
    assert await told(Phase.PROVISIONING, None) is None


async def test_a_session_that_waits_is_stopped_at_once_without_the_orchestrator(api, orchestrator):
    third = [await start(api) for _ in range(3)][-1]
    orchestrator.down = True
    answer = await api.post(f"/sessions/{third['id']}/stop")
    assert (answer.status_code, answer.json()["outcome"]) == (202, "stopped")
    assert "stopped by program:ada while it waited" in answer.json()["reason"]
    assert await states(api, third) == [("ended", None)]


async def test_a_queue_has_an_end(api, orchestrator):
    assert [isinstance(await start(api), dict) for _ in range(6)] == [True] * 6
    looks = [request.url.path for request in orchestrator.requests].count("/pool")
    assert await start(api) == 429
    assert [request.url.path for request in orchestrator.requests].count("/pool") == looks == 6


async def test_nobody_fills_the_queue_alone(settings, orchestrator, serving):
    few = {"sessions_at_once": 2, "sessions_per_person": 1, "sessions_waiting": 5}
    given = settings.model_copy(update=few | {"sessions_waiting_per_person": 3})
    async with serving(create_app(given, orchestrator_transport=orchestrator)) as api:
        assert [isinstance(await start(api), dict) for _ in range(4)] == [True] * 4
        refused = await api.post("/sessions", json={"template": "small"})
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:dryrun:problem:queue-full")
        assert "3 of your sessions are waiting, and at most 3 of one person may" in refused.json()["detail"]
        # One of Bob's runs, two wait; with the others' three that is all.
        assert [isinstance(await start(api, BOB), dict) for _ in range(3)] == [True] * 3
        refused = await api.post("/sessions", json={"template": "small"}, headers=BOB)
        assert "5 sessions are waiting, and at most 5 may" in refused.json()["detail"]


async def test_a_person_requests_so_many_sessions_a_day_however_soon_they_are_stopped(
    settings, orchestrator, serving
):
    few = {"sessions_at_once": 2, "sessions_per_person": 1, "sessions_per_day": 4}
    given = settings.model_copy(update=few)
    async with serving(create_app(given, orchestrator_transport=orchestrator)) as api:
        for _ in range(4):
            assert (await api.post(f"/sessions/{(await start(api))['id']}/stop")).status_code == 202
        refused = await api.post("/sessions", json={"template": "small"})
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:dryrun:problem:queue-full")
        assert "4 sessions within a day" in refused.json()["detail"]
        assert refused.headers["Retry-After"] == "3600"
        assert isinstance(await start(api, BOB), dict)


async def test_starts_at_the_same_moment_keep_the_limits(settings, orchestrator, serving, engine):
    few = {"sessions_at_once": 3, "sessions_per_person": 2, "sessions_waiting": 50}
    given = settings.model_copy(update=few)
    async with (
        serving(create_app(given, orchestrator_transport=orchestrator)) as one,
        serving(create_app(given, orchestrator_transport=orchestrator)) as other,
    ):
        await asyncio.gather(
            *(start(api, headers) for api in (one, other) for headers in (None, BOB) for _ in range(4))
        )
        assert len(orchestrator.sessions) == 3
        for api in (one, other):
            assert api.app.state.limits == Limits(3, 2, 50, 20)
