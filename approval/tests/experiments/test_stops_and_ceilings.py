"""Experiments that are stopped and go on, and how many of them one person may have."""

import asyncio

import pytest
from made_experiments import WANTED, is_summed_up, request, until
from scripted_session import scan_all
from sqlalchemy import text

from approval_api.experiments import repository, service
from approval_api.experiments.service import MOST_UNFINISHED
from approval_api.identity.roles import Role


async def test_a_stopped_experiment_starts_nothing_until_it_goes_on(api, orchestrator, scanned, eventually):
    experiment = await request(api)
    stopped = await api.post(f"/experiments/{experiment['id']}/stop")
    assert (stopped.status_code, stopped.json()["state"]) == (202, "stopped")
    await asyncio.sleep(2.5)
    begun = len(orchestrator.sessions)
    assert begun <= 2
    assert (await api.get(f"/experiments/{experiment['id']}")).json()["state"] == "stopped"
    await api.post(f"/experiments/{experiment['id']}/continue")
    shown = await until(api, experiment["id"], is_summed_up, eventually)
    assert shown["measured"] == 8


@pytest.mark.whole_pool
async def test_an_experiment_that_is_stopped_has_no_session_after_that(api, engine, slow_after):
    linked = slow_after(repository, "link", 0.5)

    async def stored():
        async with engine.connect() as connection:
            return await connection.scalar(text("SELECT count(*) FROM gateway.dryrun_sessions"))

    experiment = await request(api)
    await linked.wait()
    stopped = (await api.post(f"/experiments/{experiment['id']}/stop")).json()
    when_stopped = await stored()
    await asyncio.sleep(0.7)
    assert (stopped["state"], await stored()) == ("stopped", when_stopped)


async def test_the_page_of_a_stopped_one_looks_for_news_until_its_last_session_counts(
    api, orchestrator, eventually
):
    experiment = await request(api)
    page = f"/dryrun/experiments/{experiment['id']}"

    def states(shown):
        return {run["state"] for run in shown["run_list"]}

    await until(api, experiment["id"], lambda shown: "waiting" in states(shown), eventually)
    await api.post(f"/experiments/{experiment['id']}/stop")
    shown = (await api.client.get(page, headers={"Accept": "text/html"})).text
    assert 'hx-trigger="every 5s"' in shown
    assert "follow in a moment" not in shown
    scanning = asyncio.create_task(scan_all(orchestrator))
    try:
        await until(api, experiment["id"], lambda shown: states(shown) == {"planned", "measured"}, eventually)
        await until(api, experiment["id"], lambda shown: shown["results"] is not None, eventually)
    finally:
        scanning.cancel()
        await asyncio.gather(scanning, return_exceptions=True)
    shown = (await api.client.get(page, headers={"Accept": "text/html"})).text
    assert "hx-trigger" not in shown
    assert "<b>So far:</b> figures," in shown


async def test_it_does_not_go_on_as_somebody_who_lost_the_role(
    api, browsers, engine, orchestrator, scanned, eventually
):
    vera = await browsers("vera", Role.OPERATOR)
    answer = await vera.ask("POST", "/dryrun/experiments", json=WANTED)
    assert answer.status_code == 201, answer.text
    experiment = answer.json()["id"]
    await until(api, experiment, lambda shown: shown["measured"] >= 1, eventually)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.people SET roles = '{viewer}' WHERE name = 'vera'"))
    stopped = await until(api, experiment, lambda shown: shown["state"] == "stopped", eventually)
    refused = await api.post(f"/experiments/{experiment}/continue")
    assert (refused.status_code, refused.json()["type"]) == (
        409,
        "urn:dryrun:problem:not-permitted-any-more",
    )
    assert "vera" in refused.json()["detail"]
    assert sum(run["state"] == "planned" for run in stopped["run_list"]) > 0
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.people SET roles = '{operator}' WHERE name = 'vera'"))
    assert (await api.post(f"/experiments/{experiment}/continue")).status_code == 202
    shown = await until(api, experiment, is_summed_up, eventually)
    assert (shown["measured"], len({run["session_id"] for run in shown["run_list"]})) == (8, 8)


async def test_at_most_one_session_of_all_that_a_person_compares_waits_for_a_place(api, orchestrator):
    for _ in range(4):
        await request(api)
    for _ in range(4):
        await api.app.state.conductor.work_once()
    listed = (await api.get("/sessions")).json()["sessions"]
    assert sum(session["phase"] in {"requested", "queued"} for session in listed) == 1


async def test_an_experiment_that_another_version_stored_holds_up_no_other(api, orchestrator, engine):
    unreadable, other = [(await request(api))["id"] for _ in range(2)]
    async with engine.begin() as connection:
        newer = """UPDATE gateway.experiments SET request = request::jsonb || '{"new": 1}' WHERE id = :id"""
        await connection.execute(text(newer), {"id": unreadable})
    await api.app.state.conductor.work_once()
    runs = (await api.get(f"/experiments/{other}")).json()["run_list"]
    assert [run["session_id"] is None for run in runs].count(False) == 1


async def test_people_who_may_start_nothing_for_now_leave_others_experiments_a_turn(api, engine):
    experiment = (await request(api))["id"]
    copies = """
        WITH copied AS (
            INSERT INTO gateway.experiments
            SELECT (jsonb_populate_record(e, jsonb_build_object(
                'id', gen_random_uuid(), 'requested_by', person, 'requested_at', now() - interval '1 h'))).*
            FROM gateway.experiments e, unnest(ARRAY['bob', 'eve']) person, generate_series(1, :most)
            RETURNING id
        )
        INSERT INTO gateway.experiment_runs (experiment_id, number) SELECT id, 1 FROM copied
    """
    async with engine.begin() as connection:
        await connection.execute(text(copies), {"most": MOST_UNFINISHED})
        turns = await repository.open_experiments(connection)
    assert str(experiment) in {str(each.id) for each in turns}


async def test_a_person_has_so_many_unfinished_experiments_and_no_more(api, orchestrator):
    for _ in range(MOST_UNFINISHED):
        await request(api)
    answer = await api.post("/experiments", json=WANTED)
    assert (answer.status_code, answer.json()["type"]) == (429, "urn:dryrun:problem:too-many-experiments")
    assert "stop one" in answer.json()["detail"]


async def test_requests_at_the_same_moment_store_no_more_than_may_be_unfinished(api, orchestrator):
    for _ in range(MOST_UNFINISHED - 1):
        await request(api)
    answers = await asyncio.gather(*(api.post("/experiments", json=WANTED) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 429, 429, 429]


async def test_stopped_experiments_that_go_on_are_no_more_than_may_be_unfinished(
    api, orchestrator, monkeypatch
):
    stopped = [await request(api) for _ in range(2)]
    for each in stopped:
        assert (await api.post(f"/experiments/{each['id']}/stop")).status_code == 202
    monkeypatch.setattr(service, "MOST_UNFINISHED", 2)
    running = await request(api)
    assert (await api.post(f"/experiments/{running['id']}/continue")).status_code == 202
    answers = await asyncio.gather(*(api.post(f"/experiments/{each['id']}/continue") for each in stopped))
    assert sorted(answer.status_code for answer in answers) == [202, 429]
    refused = max(answers, key=lambda answer: answer.status_code).json()
    assert refused["type"] == "urn:dryrun:problem:too-many-experiments"


async def test_a_person_requests_so_many_experiments_a_day_however_soon_they_are_stopped(api, monkeypatch):
    monkeypatch.setattr(service, "MOST_A_DAY", 3)
    for _ in range(3):
        assert (await api.post(f"/experiments/{(await request(api))['id']}/stop")).status_code == 202
    refused = await api.post("/experiments", json=WANTED)
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:dryrun:problem:too-many-experiments")
    assert "within a day" in refused.json()["detail"]


async def test_who_requests_many_experiments_at_once_leaves_others_their_turn(api, monkeypatch):
    tried, ended = api.app.state.orchestrator.template, asyncio.Event()

    async def slow(*given):
        await ended.wait()
        return await tried(*given)

    monkeypatch.setattr(api.app.state.orchestrator, "template", slow)
    # None of them is stored, so that none counts.
    unknown = {**WANTED, "templates": ["none"]}
    wanted = [asyncio.create_task(api.post("/experiments", json=unknown)) for _ in range(8)]
    # A turn among all answers is held for half a second at most, whatever the answer waits for.
    await asyncio.sleep(1.5)
    another = {"Authorization": "Bearer another-token-of-the-tests"}
    by_another = asyncio.create_task(api.post("/experiments", json=WANTED, headers=another))
    await asyncio.sleep(0.2)
    ended.set()
    assert (await by_another).status_code == 201
    assert {(await each).status_code for each in wanted} == {404}
