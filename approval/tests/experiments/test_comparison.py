"""Two sessions side by side: the same results as those of an experiment with two arms."""

import asyncio
from uuid import UUID

from made_experiments import is_summed_up, request, until

from dryrun_contract.event import SessionEnded


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
    running = (
        f"Session {started[:8]} has not ended yet, and has no scores. Choose another, or compare it later"
    )
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
        f"Session {other[:8]} has not ended yet, and has no scores. {failed}. "
        "Choose others, or compare them later"
    )
