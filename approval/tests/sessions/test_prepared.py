"""A start takes the id of a prepared session, once, and never waits or fails for the pool."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from dryrun_contract.pool import Pool, PoolLine
from dryrun_contract.session import Phase, Session


def puts(orchestrator):
    return [
        UUID(request.url.path.rpartition("/")[2])
        for request in orchestrator.requests
        if request.method == "PUT"
    ]


async def test_a_start_takes_a_prepared_session_and_says_so(api, orchestrator, eventually):
    (prepared,) = orchestrator.prepare()
    answer = await api.post("/sessions", json={"template": "small"})
    assert answer.status_code == 201
    assert answer.json()["id"] == str(prepared)
    assert puts(orchestrator) == [prepared]

    async def scanning():
        session = (await api.get(f"/sessions/{prepared}")).json()
        return session if session["phase"] == "scanning" else None

    session = await eventually(scanning)
    made = orchestrator.sessions[prepared]
    assert datetime.fromisoformat(session["prepared_at"]) == made.prepared_at
    assert datetime.fromisoformat(session["expires_at"]) == made.expires_at
    assert (session["requested_by"], session["accepted_at"] is None) == ("program:ada", False)


async def test_another_template_or_seed_takes_none(api, orchestrator):
    (prepared,) = orchestrator.prepare(seed=7)
    session = (await api.post("/sessions", json={"template": "small"})).json()
    assert (session["id"] == str(prepared), session["prepared_at"]) == (False, None)


async def test_a_network_is_taken_by_any_template_when_no_session_is_prepared(api, orchestrator):
    (network,) = orchestrator.prepare(template="*")
    networks = orchestrator.pool
    (whole,) = orchestrator.prepare()
    orchestrator.pool = Pool(lines=(*networks.lines, *orchestrator.pool.lines))
    taken = [(await api.post("/sessions", json={"template": "small"})).json()["id"] for _ in range(2)]
    assert taken == [str(whole), str(network)]


@pytest.mark.whole_pool
async def test_starts_that_race_never_share_one(api, orchestrator):
    prepared = orchestrator.prepare(count=2)
    # All of them see the same pool.
    shown = orchestrator.pool
    orchestrator._claimed = lambda session_id: next(
        (each for each in shown.lines[0].ready if each.id == session_id), None
    )
    api.app.state.limits = type(api.app.state.limits)(
        at_once=5, per_person=5, waiting=5, waiting_per_person=5
    )
    answers = await asyncio.gather(*(api.post("/sessions", json={"template": "small"}) for _ in range(5)))
    ids = [UUID(answer.json()["id"]) for answer in answers]
    assert len(set(ids)) == 5
    assert set(prepared) < set(ids)


async def test_a_session_that_waits_for_a_place_takes_none(api, orchestrator):
    api.app.state.limits = type(api.app.state.limits)(
        at_once=1, per_person=1, waiting=5, waiting_per_person=5
    )
    await api.start()
    (prepared,) = orchestrator.prepare()
    session = (await api.post("/sessions", json={"template": "small"})).json()
    assert session["phase"] == "requested"
    assert session["id"] != str(prepared)


async def test_an_orchestrator_without_a_pool_or_too_slow_to_say_starts_cold(api, orchestrator):
    orchestrator.prepare()
    orchestrator.pool_seconds = 20
    begin = time.monotonic()
    assert (await api.post("/sessions", json={"template": "small"})).status_code == 201
    assert time.monotonic() - begin < 5


async def test_a_claim_whose_answer_was_lost_is_repeated_with_the_same_id(api, orchestrator, eventually):
    (prepared,) = orchestrator.prepare()
    orchestrator.loses_put_answers = True
    session = (await api.post("/sessions", json={"template": "small"})).json()
    assert session["id"] == str(prepared)

    async def accepted():
        return (await api.get(f"/sessions/{prepared}")).json()["accepted_at"]

    await eventually(accepted)
    assert set(puts(orchestrator)) == {prepared}


async def test_a_snapshot_says_what_was_prepared(api, orchestrator, eventually):
    (prepared,) = orchestrator.prepare()
    await api.post("/sessions", json={"template": "small"})
    now = datetime.now(UTC)
    orchestrator.replace_journal()
    # The new one has forgotten its beginning already, so that only its snapshot says it.
    orchestrator.seq = orchestrator.forgotten = 1
    orchestrator.sessions[prepared] = Session(
        id=prepared,
        template="small",
        template_digest="sha256:" + "1" * 64,
        seed=0,
        keep=False,
        phase=Phase.SCANNING,
        created_at=now,
        prepared_at=now - timedelta(minutes=3),
        expires_at=now + timedelta(minutes=27),
    )

    async def reconciled():
        session = (await api.get(f"/sessions/{prepared}")).json()
        return session["prepared_at"] and datetime.fromisoformat(session["prepared_at"]) == now - timedelta(
            minutes=3
        )

    await eventually(reconciled)


async def test_the_pool_is_shown_to_readers_and_a_stopped_orchestrator_is_a_503(api, orchestrator):
    (prepared,) = orchestrator.prepare(seed=7)
    (line,) = (await api.get("/pool")).json()["lines"]
    assert (line["template"], line["seed"], line["wanted"]) == ("small", 7, 1)
    assert [each["id"] for each in line["ready"]] == [str(prepared)]
    orchestrator.down = True
    answer = await api.get("/pool")
    assert (answer.status_code, answer.json()["type"]) == (
        503,
        "urn:dryrun:problem:orchestrator-unavailable",
    )


async def test_the_overview_shows_the_pool_and_says_why_it_lacks_something(api, orchestrator, eventually):
    orchestrator.prepare()
    (line,) = orchestrator.pool.lines
    lacking = PoolLine(template="large", seed=0, wanted=1, note="<b>no</b> memory")
    orchestrator.pool = Pool(lines=(line, lacking))

    async def shown():
        page = (await api.client.get("/", headers={"Accept": "text/html"})).text
        return page if "Warm pool" in page else None

    page = await eventually(shown)
    assert "1 of 1" in page
    assert "&lt;b&gt;no&lt;/b&gt; memory" in page
    orchestrator.down = True
    assert (await api.client.get("/", headers={"Accept": "text/html"})).status_code == 200


@pytest.mark.parametrize(
    ("templates", "said"),
    [
        (["small"], ["A dry-run of a template listed here starts scanning at once. Its deadline"]),
        (
            ["*"],
            ["A dry-run of any template begins on a network that is already proved to be isolated."],
        ),
        (
            ["small", "*"],
            ["scanning at once. A dry-run of any other template begins on", "any template: network"],
        ),
    ],
    ids=str,
)
async def test_the_overview_says_what_a_start_takes(api, orchestrator, eventually, templates, said):
    orchestrator.pool = Pool(lines=tuple(PoolLine(template=each, seed=0, wanted=1) for each in templates))

    async def shown():
        page = (await api.client.get("/", headers={"Accept": "text/html"})).text
        return page if "Warm pool" in page else None

    page = await eventually(shown)
    assert [each in page for each in said] == [True] * len(said)
