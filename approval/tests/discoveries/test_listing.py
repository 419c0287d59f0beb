"""Long lists: every row once whatever the order, and an end to what one page looks at."""

from uuid import UUID

import pytest
from sqlalchemy import text

from approval_api.database.tables import dryrun_discoveries
from approval_api.discoveries import listing
from approval_api.discoveries.listing import Status, Wanted, read_page

SESSIONS = (
    UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7"),
    UUID("0b0e7a4c-7e0e-4a4b-9d0a-5c1f3a3f7f11"),
)

FILL = """
INSERT INTO gateway.dryrun_discoveries
    (dryrun_session_id, is_dryrun, collector, run, line, kind, key, data, confidence, found_at, status)
SELECT CASE WHEN n % 2 = 0 THEN CAST(:first AS uuid) ELSE CAST(:second AS uuid) END, true,
    CASE WHEN n % 3 = 0 THEN 'database' ELSE 'network' END, '1', n,
    (ARRAY['host', 'service', 'table'])[n % 3 + 1], '10.213.0.' || n % 7 || ':' || n || '/tcp/Ünïcode',
    jsonb_build_object('product', 'product ' || n % 5, 'percent', '100%_'), 1, now(),
    (ARRAY['pending', 'approved', 'rejected', 'pending'])[n % 4 + 1]
FROM generate_series(1, :rows) AS n
"""


@pytest.fixture
async def filled(engine):
    async with engine.begin() as connection:
        for session in SESSIONS:
            await connection.execute(
                text(
                    "INSERT INTO gateway.dryrun_sessions "
                    "(id, template, digest, seed, keep, requested_by, phase, outcome) "
                    "VALUES (:id, 'small', 'd', 0, false, 'ada', 'ended', 'completed')"
                ),
                {"id": session},
            )
        await connection.execute(text(FILL), {"first": SESSIONS[0], "second": SESSIONS[1], "rows": 90})
    return engine


async def everything(engine, **wanted):
    rows, cursor = [], None
    async with engine.connect() as connection:
        for _ in range(200):
            page = await read_page(connection, dryrun_discoveries, Wanted(cursor=cursor, **wanted))
            rows += page.rows
            cursor = page.next
            if cursor is None:
                return rows
    raise AssertionError("the list has no end")


ORDERS = {
    "newest": lambda row: row["id"],
    "oldest": lambda row: row["id"],
    "key": lambda row: (row["key"].encode(), row["id"]),
    "kind": lambda row: (row["kind"], row["id"]),
    "status": lambda row: (row["status"], row["id"]),
}
FILTERS = [
    {},
    {"kind": "service"},
    {"status": Status.REJECTED},
    {"collector": "database"},
    {"session_id": SESSIONS[1]},
    {"kind": "table", "status": Status.PENDING, "session_id": SESSIONS[0]},
    {"kind": "host", "status": Status.APPROVED},
    {"search": "PRODUCT 3"},
    {"search": "ünï", "kind": "service"},
    {"search": "100%_"},
    {"search": "1%3"},
    {"collector": "nobody"},
]


def matches(row, wanted):
    text = (row["key"] + str(row["data"])).lower()
    return all(
        wanted["search"].lower() in text
        if name == "search"
        else row["dryrun_session_id" if name == "session_id" else name] == value
        for name, value in wanted.items()
    )


@pytest.mark.parametrize("window", [5, 5000])
@pytest.mark.parametrize("sort", ["newest", "oldest", "key", "-key", "kind", "-kind", "status", "-status"])
async def test_every_row_that_matches_stands_once_and_in_its_place(filled, monkeypatch, sort, window):
    monkeypatch.setattr(listing, "WINDOW", window)
    all_rows = await everything(filled, limit=200)
    assert len(all_rows) == 90
    backwards = sort == "newest" or sort.startswith("-")
    order = sorted(all_rows, key=ORDERS[sort.removeprefix("-")], reverse=backwards)
    for wanted in FILTERS:
        expected = [row["id"] for row in order if matches(row, wanted)]
        found = await everything(filled, sort=sort, limit=4, **wanted)
        assert [row["id"] for row in found] == expected, wanted


async def test_a_page_examines_a_bounded_number_of_rows_and_says_where_to_continue(api, filled, monkeypatch):
    monkeypatch.setattr(listing, "WINDOW", 10)
    first = (await api.get("/discoveries", params={"sort": "oldest", "search": ":77/"})).json()
    assert first["discoveries"] == []
    assert first["next"] is not None
    found = await everything(filled, sort="oldest", search=":77/")
    assert [row["line"] for row in found] == [77]


async def test_filters_and_orders_of_the_route_are_those_of_the_list(api, filled):
    given = {"session": SESSIONS[1], "kind": "service", "status": "approved", "collector": "network"}
    for sort in ("newest", "-key"):
        params = {**given, "sort": sort, "search": "product", "limit": 3}
        answer = (await api.get("/discoveries", params={k: str(v) for k, v in params.items()})).json()
        wanted = {"session_id": SESSIONS[1], "kind": "service", "status": Status.APPROVED}
        rows = await everything(filled, sort=sort, collector="network", search="product", **wanted)
        assert [row["id"] for row in answer["discoveries"]] == [row["id"] for row in rows[:3]]
        assert len(rows) > 3


async def test_a_cursor_of_another_list_is_a_fault(api, filled):
    for cursor in ("x", "e30", "WzFd", "WzEsIDJd", "WyJhIiwgImIiXQ", "WyJhIiwgLTFd"):
        answer = await api.get("/discoveries", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["faults"][0]["where"]) == (422, "query.cursor")


async def test_a_dryrun_decision_is_marked_and_changes_no_production_row(api, filled):
    row = (await everything(filled, status=Status.PENDING, limit=1))[0]
    seen = {"id": row["id"], "revision": row["revision"]}
    body = {"decision": "approved", "discoveries": [seen], "note": "well"}
    answer = await api.post("/discoveries/decisions", json=body)
    assert answer.json()["decided"] == [row["id"]]
    shown = (await api.get(f"/discoveries/{row['id']}")).json()
    assert (shown["status"], shown["decision"]["by"], shown["decision"]["note"]) == (
        "approved",
        "program:ada",
        "well",
    )
    async with filled.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM gateway.discoveries")) == 0


@pytest.fixture
def programs():
    return "ada/operator+approver"
