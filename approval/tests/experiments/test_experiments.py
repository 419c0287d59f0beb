"""Experiments as clients see them: every session once, whatever happens meanwhile, and results of all."""

import asyncio
from uuid import UUID

import pytest
from made_experiments import ARMS, WANTED, is_summed_up, request, until
from scripted_session import HOSTILE, ScriptedSession, scan_all
from sqlalchemy import text

from approval_api.app import create_app
from approval_api.computing.worker_process import WorkFailedError
from approval_api.experiments.calculations import Calculations
from approval_api.experiments.conductor import Conductor
from approval_api.reports.service import Reports
from approval_api.sessions import service as sessions
from approval_api.web.problems import ProblemError


async def test_every_combination_runs_once_and_the_results_name_what_was_lost(
    api, orchestrator, scanned, eventually
):
    experiment = await request(api)
    assert (experiment["state"], experiment["runs"], experiment["requested_by"]) == (
        "running",
        8,
        "program:ada",
    )
    shown = await until(api, experiment["id"], is_summed_up, eventually)
    assert (shown["measured"], shown["failed"], shown["seconds_left"]) == (8, 0, None)
    runs = [(run["arm"], run["seed"], run["repetition"]) for run in shown["run_list"]]
    assert sorted(runs) == sorted((arm, seed, n) for arm in ARMS for seed in (3, 4) for n in (0, 1))
    assert runs[:2] == [("old", 3, 0), ("new", 3, 0)], "arms take turns"
    assert len(orchestrator.sessions) == 8
    (contrast,) = shown["results"]["contrasts"]
    version, difference = sorted(contrast["differences"], key=lambda each: each["key"])
    assert version["attribute"] == "version"
    assert version["arm_values"] == {HOSTILE[0][:120]: 4}
    assert (difference["key"], difference["found_by_baseline"], difference["found_by_arm"]) == (
        "web:80/tcp",
        4,
        0,
    )
    rows = {row["kind"]: row for row in shown["results"]["arms"][1]["rows"] if row["attribute"] is None}
    assert rows["service"]["recall"]["value"] == pytest.approx(1 / 3)


async def test_an_experiment_goes_on_where_a_killed_service_left_it(
    settings, orchestrator, scanned, serving, eventually
):
    async with serving(create_app(settings, orchestrator_transport=orchestrator)) as api:
        experiment = await request(api)
        await until(api, experiment["id"], lambda shown: shown["measured"] >= 2, eventually)
    async with serving(create_app(settings, orchestrator_transport=orchestrator)) as api:
        shown = await until(api, experiment["id"], is_summed_up, eventually)
    sessions = [run["session_id"] for run in shown["run_list"]]
    assert len(set(sessions)) == 8
    assert {str(each) for each in orchestrator.sessions} == set(sessions)


@pytest.mark.whole_pool
async def test_processes_that_work_at_once_start_no_run_twice(api, orchestrator, scanned, engine, eventually):
    state = api.app.state
    may_run = state.experiments.may_run
    processes = [Calculations() for _ in range(3)]
    others = [
        Conductor(engine, state.orchestrator, state.reports, state.limits, may_run, each)
        for each in processes
    ]
    tasks = [asyncio.create_task(_always(other)) for other in others]
    try:
        experiment = await request(api)
        shown = await until(api, experiment["id"], is_summed_up, eventually)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in processes:
            await each.close()
    assert shown["measured"] == 8
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM gateway.dryrun_sessions")) == 8


async def _always(conductor):
    while True:
        await conductor.work_once()


async def test_a_choice_that_is_not_installed_is_refused_and_nothing_is_stored(api, orchestrator):
    orchestrator.uninstalled.add("network-2")
    answer = await api.post("/experiments", json=WANTED)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:dryrun:problem:invalid-scan")
    assert (await api.get("/experiments")).json() == {"experiments": [], "next": None}


async def test_a_collector_that_is_uninstalled_meanwhile_costs_its_own_runs_only(
    api, orchestrator, eventually
):
    experiment = await request(api, repetitions=1)
    orchestrator.uninstalled.add("network-2")
    scanning = asyncio.create_task(scan_all(orchestrator))
    try:
        shown = await until(api, experiment["id"], is_summed_up, eventually)
    finally:
        scanning.cancel()
    states = {run["arm"]: set() for run in shown["run_list"]}
    for run in shown["run_list"]:
        states[run["arm"]].add((run["state"], run["reason"]))
    assert states["old"] == {("measured", None)}
    assert ("failed", "no collector network-2 is installed") in states["new"]


async def test_a_session_that_does_not_complete_is_not_measured_and_says_why(api, orchestrator, eventually):
    experiment = await request(api, seeds=[3], repetitions=1, collectors={})

    async def started():
        return next(iter(orchestrator.sessions), None)

    session = ScriptedSession(orchestrator, UUID(str(await eventually(started))))
    session.build()
    session.clean_up("failed", "the engine went away")
    shown = await until(api, experiment["id"], lambda shown: shown["state"] == "done", eventually)
    (run,) = shown["run_list"]
    assert (run["state"], run["reason"]) == ("failed", "the session failed: the engine went away")
    assert (shown["measured"], shown["failed"]) == (0, 1)


async def test_a_run_that_another_process_has_started_does_not_fail_with_an_attempt(
    api, orchestrator, eventually, monkeypatch
):
    start, refused = sessions.start, []

    async def overtaken(*which, **options):
        await start(*which, **options)
        refused.append(True)
        raise ProblemError("unknown-template", 404, "there is no template small")

    monkeypatch.setattr(sessions, "start", overtaken)
    experiment = await request(api, seeds=[3], repetitions=1)

    async def was_refused():
        return refused

    await eventually(was_refused)
    await asyncio.sleep(0.3)
    (run, *_) = (await api.get(f"/experiments/{experiment['id']}")).json()["run_list"]
    assert (run["state"] in {"waiting", "running"}, run["reason"]) == (True, None)


async def test_a_run_waits_for_a_report_that_failed_and_is_computed_again_later(
    api, orchestrator, scanned, engine, eventually, monkeypatch
):
    write, failing = Reports.write, [True]

    async def too_slow(*which):
        if failing:
            failing.append(True)
            raise ProblemError("report-failed", 503, "scoring took more than 60 s")
        return await write(*which)

    monkeypatch.setattr(Reports, "write", too_slow)
    later = await request(api, seeds=[3], repetitions=1, collectors={})

    async def failed_twice():
        return len(failing) > 2

    await eventually(failed_twice)
    (run,) = (await api.get(f"/experiments/{later['id']}")).json()["run_list"]
    assert (run["state"], run["reason"]) == ("running", None)
    failing.clear()
    shown = await until(api, later["id"], lambda shown: shown["state"] == "done", eventually)
    assert (shown["measured"], shown["failed"]) == (1, 0)


async def test_a_run_does_not_wait_for_ever_for_a_report(
    api, orchestrator, scanned, engine, eventually, monkeypatch
):
    async def too_slow(*_):
        raise ProblemError("report-failed", 503, "scoring took more than 60 s")

    monkeypatch.setattr(Reports, "write", too_slow)
    experiment = await request(api, seeds=[3], repetitions=1, collectors={})

    async def ended():
        async with engine.begin() as connection:
            aged = "UPDATE gateway.dryrun_sessions SET ended_at = ended_at - interval '31 minutes'"
            return (await connection.execute(text(f"{aged} WHERE phase = 'ended'"))).rowcount

    await eventually(ended)
    shown = await until(api, experiment["id"], lambda shown: shown["state"] == "done", eventually)
    (run,) = shown["run_list"]
    assert (run["state"], run["reason"]) == ("failed", "scoring took more than 60 s")


async def test_results_stay_when_the_next_sum_fails(api, orchestrator, scanned, eventually, monkeypatch):
    experiment = await request(api, repetitions=1)
    shown = await until(api, experiment["id"], is_summed_up, eventually)

    async def fails(*_):
        raise WorkFailedError("it took too long")

    monkeypatch.setattr(api.app.state.calculations, "sum_up", fails)
    async with api.app.state.engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.experiments SET results_of = 1"))
    await api.app.state.conductor.work_once()
    after = (await api.get(f"/experiments/{experiment['id']}")).json()
    assert after["results"] == shown["results"]


async def test_its_page_looks_for_news_until_the_results_of_all_sessions_are_there(
    api, orchestrator, scanned, eventually, monkeypatch
):
    summing = asyncio.Event()
    sum_up = Conductor._sum_up

    async def later(self, experiment_id):
        if summing.is_set():
            await sum_up(self, experiment_id)

    monkeypatch.setattr(Conductor, "_sum_up", later)
    experiment = await request(api, seeds=[3], repetitions=1)
    page = f"/dryrun/experiments/{experiment['id']}"
    await until(api, experiment["id"], lambda shown: shown["state"] == "done", eventually)
    shown = (await api.client.get(page, headers={"Accept": "text/html"})).text
    assert "2 of 2 sessions measured" in shown
    assert "The results of all sessions follow in a moment." in shown
    assert "What each way to scan finds" not in shown
    assert 'hx-trigger="every 5s"' in shown
    summing.set()
    await until(api, experiment["id"], is_summed_up, eventually)
    shown = (await api.client.get(page, headers={"Accept": "text/html"})).text
    assert "What each way to scan finds" in shown
    assert "follow in a moment" not in shown
    assert "hx-trigger" not in shown
    assert "So far:" not in shown


async def test_what_breaks_one_experiment_does_not_stop_another(
    api, orchestrator, scanned, eventually, monkeypatch
):
    first = await request(api, repetitions=1)
    start = api.app.state.conductor._start_next

    async def broken(experiment):
        if str(experiment.id) == first["id"]:
            raise ValueError("an answer that nobody foresaw")
        await start(experiment)

    monkeypatch.setattr(api.app.state.conductor, "_start_next", broken)
    second = await request(api, repetitions=1)
    shown = await until(api, second["id"], is_summed_up, eventually)
    assert shown["measured"] == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"templates": []}, "must not be empty"),
        ({"seeds": [1, 1]}, "names one value twice"),
        ({"seeds": [10_000]}, "must be at most 9999"),
        ({"repetitions": 50, "seeds": list(range(20))}, "300 are the most"),
        ({"rates": list(range(1, 21)), "profiles": ["quick", "full"]}, "20 are the most"),
        ({"rates": [0]}, "must be at least 1"),
        ({"profiles": ["loud"]}, "'quick' or 'full'"),
        ({"collectors": {"x": ["../etc"]}}, "characters of a-z, 0-9 and -"),
        ({"collectors": {"<script>": ["network"]}}, "must match the pattern"),
        ({"name": "a\x1b[31m"}, "control characters"),
        ({"image": "evil"}, "is not known here"),
        ({"command": ["sh"]}, "is not known here"),
    ],
)
async def test_what_is_no_id_or_number_or_is_too_much_is_refused(api, changes, words):
    answer = await api.post("/experiments", json=WANTED | changes)
    assert answer.status_code == 422
    assert words in answer.text
    assert (await api.get("/experiments")).json()["experiments"] == []


async def test_the_list_has_pages_and_no_results(api, orchestrator):
    names = [f"number {number}" for number in range(3)]
    for name in names:
        await request(api, name=name, repetitions=1)
    first = (await api.get("/experiments", params={"limit": 2})).json()
    rest = (await api.get("/experiments", params={"limit": 2, "cursor": first["next"]})).json()
    listed = [each["request"]["name"] for each in (*first["experiments"], *rest["experiments"])]
    assert listed == names[::-1]
    assert rest["next"] is None
    assert "results" not in first["experiments"][0]


async def test_an_unknown_experiment_is_a_404(api):
    unknown = "00000000-0000-4000-8000-000000000000"
    for answer in (
        await api.get(f"/experiments/{unknown}"),
        await api.post(f"/experiments/{unknown}/stop"),
        await api.post(f"/experiments/{unknown}/continue"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:dryrun:problem:unknown-experiment")
