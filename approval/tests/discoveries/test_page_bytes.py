"""Lists of what collectors reported: pages end early when rows are large, and few are prepared at once."""

import asyncio
import gc
import os
import tracemalloc
from contextlib import ExitStack
from uuid import UUID

import pytest
from resident import resident_mib, watched

from approval_api.access import large_answers
from approval_api.identity.roles import Role

SESSION = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
PRODUCTION = "/api/v1/production/discoveries"
DRYRUN = "/api/v1/dryrun/discoveries"
OF_SESSION = f"/api/v1/dryrun/sessions/{SESSION}/discoveries"
ROWS = 80
MIB = 1024 * 1024
# As many values as a line may have, in 48 KiB; and 60 KiB that no compression makes shorter.
DENSE = "jsonb_build_object('a', array_fill(CAST('[]' AS jsonb), ARRAY[16000]))"
NOISE = """(SELECT jsonb_build_object('a', string_agg(md5(n || '-' || each), ''))
    FROM generate_series(1, 1900) AS each)"""
_COLUMNS = "(collector, kind, key, data, confidence, found_at"


@pytest.fixture(params=[DENSE, NOISE], ids=["dense", "noise"], scope="module")
def filled(request, postgres):
    """Name of a database whose tables have `ROWS` discoveries each, as large as a collector's line may be.

    Each test has a copy: to fill it takes PostgreSQL a second.
    """
    name = f"filled_{request.param_index}"
    rows = f"SELECT 'network', 'host', '10.213.0.' || n, {request.param}, 1, now()"
    series = f"FROM generate_series(1, {ROWS}) AS n"
    session = f"CAST('{SESSION}' AS uuid)"
    postgres.execute("postgres", f"CREATE DATABASE {name} TEMPLATE migrated STRATEGY file_copy")
    postgres.execute(
        name,
        "INSERT INTO gateway.dryrun_sessions "
        "(id, template, digest, seed, keep, requested_by, phase, outcome) "
        f"VALUES ({session}, 'small', 'd', 0, false, 'ada', 'ended', 'completed')",
        f"INSERT INTO gateway.discoveries {_COLUMNS}) {rows} {series}",
        f"INSERT INTO gateway.dryrun_discoveries {_COLUMNS}, "
        f"dryrun_session_id, is_dryrun, run, line) {rows}, {session}, true, '1', n {series}",
        "INSERT INTO gateway.dryrun_events (journal, seq, session_id, at, type, data) "
        f"SELECT {session}, id, dryrun_session_id, found_at, 'discovery_reported', "
        "jsonb_build_object('type', 'discovery_reported', 'collector', collector, 'run', run, "
        "'line', line, 'discovery', jsonb_build_object('kind', kind, 'key', key, 'data', data)) "
        "FROM gateway.dryrun_discoveries",
        "INSERT INTO gateway.discovery_changes (discovery_id, revision, before, after) "
        "SELECT (SELECT min(id) FROM gateway.discoveries), id, data, '{}' FROM gateway.discoveries",
    )
    yield name
    postgres.execute("postgres", f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(request, postgres):
    template = request.getfixturevalue("filled") if "filled" in request.fixturenames else "migrated"
    return postgres.create_database(template)


@pytest.mark.parametrize(
    ("path", "limit"),
    [(PRODUCTION, 200), (DRYRUN, 200), (f"{DRYRUN}?sort=-key", 200), (OF_SESSION, 2000)],
)
async def test_a_page_of_large_discoveries_ends_early_and_the_next_continues(api, filled, path, limit):
    keys, pages, cursor = [], 0, None
    while True:
        params = {"limit": limit} | ({} if cursor is None else {"cursor": cursor})
        answer = await api.client.get(path, params=params)
        assert len(answer.content) < 2 * MIB
        found = answer.json()["discoveries"]
        assert found
        keys += [each["key"] for each in found]
        cursor, pages = answer.json()["next"], pages + 1
        if cursor is None:
            break
    assert sorted(keys) == sorted(f"10.213.0.{n}" for n in range(1, ROWS + 1))
    assert pages < ROWS / 4


async def test_a_discovery_larger_than_a_page_gets_a_page_of_its_own(api, engine):
    large = {"collector": "network", "discoveries": [_large("192.0.2.1"), _large("192.0.2.2")]}
    assert (await api.client.post(PRODUCTION, json=large)).status_code == 200
    first = (await api.client.get(PRODUCTION)).json()
    second = (await api.client.get(PRODUCTION, params={"cursor": first["next"]})).json()
    assert [[each["key"] for each in page["discoveries"]] for page in (first, second)] == [
        ["192.0.2.2"],
        ["192.0.2.1"],
    ]
    assert second["next"] is None


def _large(key):
    return {"kind": "host", "key": key, "data": {"a": "x" * 1_500_000}}


async def test_large_changes_of_a_discovery_are_shown_as_far_as_a_page_goes(api, filled):
    (first,) = (await api.client.get(PRODUCTION, params={"sort": "oldest", "limit": 1})).json()["discoveries"]
    answer = await api.client.get(f"{PRODUCTION}/{first['id']}/changes")
    assert 0 < len(answer.json()["changes"]) < ROWS / 2
    assert len(answer.content) < 2 * MIB


@pytest.mark.parametrize(
    "path",
    [
        f"{OF_SESSION}?limit=2000",
        f"{DRYRUN}?limit=200",
        f"{PRODUCTION}?limit=200",
        f"/api/v1/dryrun/sessions/{SESSION}/events?limit=2000",
        "/production/discoveries",
        "/dryrun/discoveries",
    ],
)
@pytest.mark.whole_pool
async def test_seven_viewers_of_the_largest_lists_need_bounded_memory(api, filled, path):
    api.client.timeout = 100
    assert (await api.client.get(path)).status_code == 200  # what is loaded once
    gc.collect()
    before = resident_mib(os.getpid())
    with watched({"the service, and this test": os.getpid()}) as peaks:
        answers = await asyncio.gather(*(api.client.get(path) for _ in range(7)))
    assert [answer.status_code for answer in answers] == [200] * 7
    (peak,) = peaks.values()
    assert peak - before < 128


async def test_decided_rows_are_shown_as_far_as_a_page_goes(api, browsers, filled):
    approver = await browsers("grace", Role.APPROVER)
    rows = []
    cursor = None
    while True:
        page = (
            await approver.ask(
                "GET",
                "/production/discoveries",
                params={"limit": 200, "cursor": cursor} if cursor else {"limit": 200},
            )
        ).json()
        rows += page["discoveries"]
        cursor = page["next"]
        if cursor is None:
            break
    tracemalloc.start()
    try:
        answer = await approver.client.post(
            "/production/discoveries",
            data={"decision": "approved", "seen": [f"{row['id']}:{row['revision']}" for row in rows]},
            headers={"X-CSRF-Token": approver.csrf, "HX-Request": "true"},
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status_code == 200
    assert peak < 64 * MIB


@pytest.mark.parametrize(
    ("kind", "turns", "path", "page"),
    [
        ("lists", 2, PRODUCTION, "/production/discoveries"),
        ("reports", 3, f"/api/v1/dryrun/sessions/{SESSION}/report", f"/dryrun/sessions/{SESSION}/report"),
    ],
)
async def test_a_person_has_few_turns_and_waiting_too_long_is_a_503(
    api, browsers, monkeypatch, filled, kind, turns, path, page
):
    monkeypatch.setattr(large_answers, "PLACE_SECONDS", 0.05)
    viewer = await browsers("ada", Role.VIEWER)
    ceiling = api.app.state.large_answers[kind]
    with ExitStack() as held:
        for _ in range(turns):
            held.enter_context(ceiling.place("program:ada"))
        refused = await api.client.get(path)
        assert (refused.status_code, refused.json()["type"]) == (503, f"urn:dryrun:problem:too-many-{kind}")
        assert (await viewer.ask("GET", page)).status_code == 200
    assert (await api.client.get(path)).status_code == 200
