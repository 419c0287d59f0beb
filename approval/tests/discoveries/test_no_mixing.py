"""Production and dry-runs never mix: both are filled with marked rows, then every route is read."""

import pytest
from approval_routes import DRYRUN, PRODUCTION, ROUTES
from sqlalchemy import text

SESSION = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
DRYRUN_MARK, PRODUCTION_MARK = "mark-of-a-dry-run", "mark-of-production"

FILL = f"""
INSERT INTO gateway.dryrun_sessions (id, template, digest, seed, keep, requested_by, phase, outcome)
VALUES ('{SESSION}', 'small', 'd', 0, false, 'ada', 'ended', 'completed');
INSERT INTO gateway.dryrun_discoveries
    (dryrun_session_id, is_dryrun, collector, run, line, kind, key, data, confidence, found_at)
SELECT '{SESSION}', true, '{DRYRUN_MARK}', '1', n, 'host', '10.0.0.' || n,
    '{{"x": "{DRYRUN_MARK}"}}', 1, now()
FROM generate_series(1, 7) AS n;
INSERT INTO gateway.discoveries (collector, kind, key, data, confidence)
SELECT '{PRODUCTION_MARK}', 'host', '10.0.0.' || n, '{{"x": "{PRODUCTION_MARK}"}}', 1
FROM generate_series(1, 5) AS n;
INSERT INTO gateway.discovery_changes (discovery_id, revision, before, after)
VALUES (1, 2, '{{"x": "{PRODUCTION_MARK} before"}}', '{{"x": "{PRODUCTION_MARK}"}}')
"""

COUNTS = {
    table: f"SELECT count(*), max(id), max(xmin::text), bool_and(status = 'pending') FROM gateway.{table}"
    for table in ("dryrun_discoveries", "discoveries")
}


@pytest.fixture
def programs():
    return "ada/admin"


@pytest.fixture
async def filled(api, engine):
    async with engine.begin() as connection:
        for statement in FILL.split(";"):
            await connection.execute(text(statement))
    return api


async def read(api, path, **params):
    known = {
        "session_id": SESSION,
        "template_id": "small",
        "experiment_id": SESSION,
        "check_id": SESSION,
        "scan_id": SESSION,
        "rule_id": SESSION,
        "badge_id": "A" * 22,
        "shape": "svg",
        "schedule_id": SESSION,
        "destination_id": SESSION,
        "delivery_id": SESSION,
        "channel_id": SESSION,
        "discovery_id": "1",
        "person_id": SESSION,
    }
    given = path.replace(":path", "").replace(":int", "").format(**known, version="x", name="x")
    return await api.client.get(given, params=params, headers={"Accept": "text/html, application/json"})


async def test_no_route_shows_rows_of_the_other_side(filled):
    seen = {DRYRUN_MARK: 0, PRODUCTION_MARK: 0}
    for method, path in ROUTES:
        if method != "GET":
            continue
        text = (await read(filled, path)).text
        seen[DRYRUN_MARK] += DRYRUN_MARK in text
        seen[PRODUCTION_MARK] += PRODUCTION_MARK in text
        assert path.startswith((DRYRUN, "/dryrun/")) or DRYRUN_MARK not in text, path
        assert path.startswith((PRODUCTION, "/production")) or PRODUCTION_MARK not in text, path
    # Lists, single ones, changes: the marks are where they belong, or nothing was shown at all.
    assert seen[DRYRUN_MARK] >= 3
    assert seen[PRODUCTION_MARK] >= 3


@pytest.mark.parametrize(("path", "rows"), [(f"{DRYRUN}/discoveries", 7), (PRODUCTION, 5)])
async def test_no_search_or_filter_reaches_the_other_side(filled, path, rows):
    other = PRODUCTION_MARK if path.startswith(DRYRUN) else DRYRUN_MARK
    for params in (
        {"search": other},
        {"search": "mark-of", "limit": 200},
        {"collector": other},
        {"kind": "host"},
    ):
        found = (await read(filled, path, **params)).json()["discoveries"]
        assert all(row["collector"] != other for row in found)
        assert len(found) == (0 if other in params.values() else rows)


async def state(engine):
    async with engine.connect() as connection:
        return {table: (await connection.execute(text(query))).one() for table, query in COUNTS.items()}


@pytest.mark.parametrize("programs", [f"ada/admin/{DRYRUN_MARK}"])
async def test_no_command_changes_the_other_side(filled, engine):
    """Rows of both sides have the same numbers here: whoever takes the wrong table is found out."""
    first = {"id": 1, "revision": 1}
    decision = {"decision": "rejected", "discoveries": [first, {"id": 6, "revision": 1}]}
    for path, table in ((f"{DRYRUN}/discoveries", "dryrun_discoveries"), (PRODUCTION, "discoveries")):
        before = await state(engine)
        answer = await filled.client.post(f"{path}/decisions", json=decision)
        assert 1 in answer.json()["decided"]
        after = await state(engine)
        assert {name for name in COUNTS if before[name] != after[name]} == {table}
    before = await state(engine)
    found = {"kind": "host", "key": "10.0.0.1", "data": {"x": "new"}}
    report = {"collector": DRYRUN_MARK, "discoveries": [found]}
    assert (await filled.client.post(PRODUCTION, json=report)).json()["new"] == 1
    after = await state(engine)
    assert before["dryrun_discoveries"] == after["dryrun_discoveries"]
    assert after["discoveries"][0] == before["discoveries"][0] + 1
