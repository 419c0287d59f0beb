"""Experiments as clients see them: every session once, whatever happens meanwhile, and results of all."""

import asyncio
from uuid import UUID

import pytest
from scripted_session import HOSTILE, ScriptedSession, scan_all
from sqlalchemy import text

from approval_api.app import create_app
from approval_api.experiments import repository, service
from approval_api.experiments.service import MOST_UNFINISHED, Experiments
from approval_api.identity.roles import Role
from approval_api.reports.worker_process import WorkFailedError
from approval_api.sessions import service as sessions
from approval_api.web.problems import ProblemError
from dryrun_contract.event import SessionEnded

ARMS = {"old": ["network"], "new": ["network-2"]}
WANTED = {"name": "old or new", "templates": ["small"], "seeds": [3, 4], "repetitions": 2, "collectors": ARMS}


@pytest.fixture
async def scanned(orchestrator):
    """Let every session that starts be scanned."""
    task = asyncio.create_task(scan_all(orchestrator))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def request(api, **changes):
    answer = await api.post("/experiments", json=WANTED | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def until(api, experiment_id, condition, eventually, seconds=40):
    async def met():
        shown = (await api.get(f"/experiments/{experiment_id}")).json()
        return shown if condition(shown) else None

    return await eventually(met, seconds)


def is_summed_up(shown):
    results = shown["results"]
    counted = sum(arm["measured"] for arm in results["arms"]) if results else 0
    return shown["state"] == "done" and counted == shown["measured"]


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
    others = [Experiments(engine, state.orchestrator, state.reports, state.limits, may_run) for _ in range(3)]
    tasks = [asyncio.create_task(_always(other)) for other in others]
    try:
        experiment = await request(api)
        shown = await until(api, experiment["id"], is_summed_up, eventually)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for other in others:
            await other.close()
    assert shown["measured"] == 8
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM gateway.dryrun_sessions")) == 8


async def _always(experiments):
    while True:
        await experiments.work_once()


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


async def test_at_most_one_session_of_all_that_a_person_compares_waits_for_a_place(api, orchestrator):
    for _ in range(4):
        await request(api)
    for _ in range(4):
        await api.app.state.experiments.work_once()
    listed = (await api.get("/sessions")).json()["sessions"]
    assert sum(session["phase"] in {"requested", "queued"} for session in listed) == 1


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


async def test_results_stay_when_the_next_sum_fails(api, orchestrator, scanned, eventually, monkeypatch):
    experiment = await request(api, repetitions=1)
    shown = await until(api, experiment["id"], is_summed_up, eventually)
    worker = api.app.state.experiments._worker

    async def fails(*_):
        raise WorkFailedError("it took too long")

    monkeypatch.setattr(worker, "call", fails)
    async with api.app.state.engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.experiments SET results_of = 1"))
    await api.app.state.experiments.work_once()
    after = (await api.get(f"/experiments/{experiment['id']}")).json()
    assert after["results"] == shown["results"]


async def test_its_page_looks_for_news_until_the_results_of_all_sessions_are_there(
    api, orchestrator, scanned, eventually, monkeypatch
):
    summing = asyncio.Event()
    sum_up = Experiments._sum_up

    async def later(self, experiment_id):
        if summing.is_set():
            await sum_up(self, experiment_id)

    monkeypatch.setattr(Experiments, "_sum_up", later)
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


async def test_what_breaks_one_experiment_does_not_stop_another(
    api, orchestrator, scanned, eventually, monkeypatch
):
    first = await request(api, repetitions=1)
    start = api.app.state.experiments._start_next

    async def broken(experiment):
        if str(experiment.id) == first["id"]:
            raise ValueError("an answer that nobody foresaw")
        await start(experiment)

    monkeypatch.setattr(api.app.state.experiments, "_start_next", broken)
    second = await request(api, repetitions=1)
    shown = await until(api, second["id"], is_summed_up, eventually)
    assert shown["measured"] == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"templates": []}, "at least 1 item"),
        ({"seeds": [1, 1]}, "names one value twice"),
        ({"seeds": [10_000]}, "less than or equal to 9999"),
        ({"repetitions": 50, "seeds": list(range(20))}, "300 are the most"),
        ({"rates": list(range(1, 21)), "profiles": ["quick", "full"]}, "20 are the most"),
        ({"rates": [0]}, "greater than or equal to 1"),
        ({"profiles": ["loud"]}, "'quick' or 'full'"),
        ({"collectors": {"x": ["../etc"]}}, "match pattern"),
        ({"collectors": {"<script>": ["network"]}}, "match pattern"),
        ({"name": "a\x1b[31m"}, "match pattern"),
        ({"image": "evil"}, "Extra inputs"),
        ({"command": ["sh"]}, "Extra inputs"),
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


async def test_two_sessions_are_an_experiment_of_two_arms(api, orchestrator, scanned, eventually):
    experiment = await request(api, seeds=[3], repetitions=1)
    shown = await until(api, experiment["id"], is_summed_up, eventually)
    old, new = (run["session_id"] for run in shown["run_list"])
    answer = await api.get("/experiments/comparison", params={"baseline": old, "session": new})
    assert answer.status_code == 200, answer.text
    results = answer.json()
    assert [(arm["arm"], arm["measured"]) for arm in results["arms"]] == [(old, 1), (new, 1)]
    (contrast,) = results["contrasts"]
    assert (contrast["pairs"], contrast["baseline"], contrast["arm"]) == (1, old, new)
    # As the experiment has it, and nothing is claimed of one run each.
    assert contrast["differences"] == shown["results"]["contrasts"][0]["differences"]
    assert {each["judgement"] for each in contrast["differences"]} == {"unclear"}


async def test_a_session_that_is_not_there_or_has_no_scores_is_not_compared(api, orchestrator):
    nowhere = "00000000-0000-4000-8000-000000000000"
    answer = await api.get("/experiments/comparison", params={"baseline": nowhere, "session": nowhere})
    assert (answer.status_code, "unknown-session" in answer.json()["type"]) == (404, True)
    started = (await api.post("/sessions", json={"template": "small"})).json()["id"]
    answer = await api.get("/experiments/comparison", params={"baseline": started, "session": started})
    assert (answer.status_code, "no-scores" in answer.json()["type"]) == (409, True)
    running = f"Session {started[:8]} did not end yet, and has no scores. Choose another, or compare it later"
    assert answer.json()["detail"] == running
    orchestrator.tell(UUID(started), SessionEnded(outcome="failed", reason="no room"))
    while (await api.get(f"/sessions/{started}")).json()["phase"] != "ended":
        await asyncio.sleep(0.02)
    answer = await api.get("/experiments/comparison", params={"baseline": started, "session": started})
    failed = f"Session {started[:8]} has no scores: no collector has run"
    assert (answer.status_code, answer.json()["detail"]) == (409, f"{failed}. Choose another")
    other = (await api.post("/sessions", json={"template": "small"})).json()["id"]
    answer = await api.get("/experiments/comparison", params={"baseline": other, "session": started})
    assert answer.json()["detail"] == (
        f"Session {other[:8]} did not end yet, and has no scores. {failed}. "
        "Choose others, or compare them later"
    )
