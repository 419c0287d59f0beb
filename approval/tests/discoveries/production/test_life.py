"""The life of production's discoveries: new, changed, gone, returned, and what asks for a decision."""

import pytest
from made_scans import DB, PATH, WEB, changes, decide, listed, lives, scan
from sqlalchemy import text


@pytest.fixture
def programs():
    return "ada/operator+approver/network+database"


async def test_what_three_complete_scans_miss_is_gone_and_its_removal_is_to_be_approved(api):
    assert await scan(api, DB, WEB) == (0, 0)
    await decide(api, "approved", *await listed(api))
    assert await scan(api, WEB) == (1, 0)
    assert await scan(api, WEB) == (1, 0)
    assert (await lives(api))[DB["key"]] == ("new", "approved", 2)
    assert await scan(api, WEB) == (1, 1)
    assert await lives(api) == {DB["key"]: ("gone", "pending", 3), WEB["key"]: ("new", "approved", 0)}
    (gone,) = await listed(api, change="gone")
    assert (gone["decision"]["decision"], gone["revision"]) == ("approved", 2)
    assert gone["gone_at"] == gone["changed_at"]
    assert [change["change"] for change in await changes(api, gone)] == ["gone"]
    # It is no longer missed by more scans.
    assert await scan(api, WEB) == (0, 0)


async def test_what_is_seen_again_returned_and_counts_anew(api):
    await scan(api, DB)
    await decide(api, "approved", *await listed(api))
    for _ in range(3):
        await scan(api)
    await decide(api, "approved", *await listed(api))
    assert await lives(api) == {DB["key"]: ("gone", "approved", 3)}
    assert await scan(api, DB) == (0, 0)
    assert await lives(api) == {DB["key"]: ("returned", "pending", 0)}
    (row,) = await listed(api)
    assert (row["gone_at"], row["revision"]) == (None, 3)
    assert [(c["change"], c["attributes"]) for c in await changes(api, row)] == [
        ("returned", []),
        ("gone", []),
    ]
    await scan(api)
    await scan(api, DB)
    await scan(api)
    assert (await lives(api))[DB["key"]][2] == 1, "scans in a row count, not scans in all"


async def test_a_rejected_one_that_is_gone_asks_for_nothing(api):
    await scan(api, DB)
    await decide(api, "rejected", *await listed(api))
    for _ in range(3):
        await scan(api)
    assert await lives(api) == {DB["key"]: ("gone", "rejected", 3)}
    await scan(api, DB)
    assert await lives(api) == {DB["key"]: ("returned", "rejected", 0)}


async def test_whose_removal_somebody_rejected_is_to_be_approved_when_it_returns(api):
    await scan(api, DB)
    await decide(api, "approved", *await listed(api))
    for _ in range(3):
        await scan(api)
    await decide(api, "rejected", *await listed(api, change="gone"))
    await scan(api, DB)
    assert await lives(api) == {DB["key"]: ("returned", "pending", 0)}


async def test_what_returns_as_something_else_than_was_decided_on_is_changed(api):
    other = DB | {"data": {"product": "PostgreSQL", "version": "0.1"}}
    await scan(api, DB)
    await decide(api, "approved", *await listed(api))
    for before, after, change in (
        ((other,), other, "changed"),
        ((), other, "changed"),
        ((DB,), DB, "returned"),
    ):
        await scan(api, *before)
        for _ in range(3):
            await scan(api)
        await scan(api, after)
        assert await lives(api) == {DB["key"]: (change, "pending", 0)}


async def test_a_report_that_was_cut_off_takes_nothing_back(api):
    first = WEB | {"data": {"name": "https", "method": "table"}, "confidence": 0.27}
    last = WEB | {"data": {"name": "https", "product": "nginx", "version": "1.26"}, "confidence": 0.9}
    later = last | {"data": last["data"] | {"version": "1.27"}}
    fewer = last | {"data": {"name": "https", "product": "Caddy"}}

    async def cut_off(*found):
        body = {"collector": "network", "discoveries": found, "cut_off": True}
        answer = await api.client.post(PATH, json=body)
        assert answer.status_code == 200, answer.text
        (row,) = await listed(api)
        return row["data"].get("version"), row["confidence"], row["change"], row["status"]

    assert await cut_off(first) == (None, 0.27, "new", "pending")
    assert await cut_off(last) == ("1.26", 0.9, "new", "pending")
    await decide(api, "approved", *await listed(api))
    assert await cut_off(first) == await cut_off(fewer) == ("1.26", 0.9, "new", "approved")
    assert await cut_off(later) == ("1.27", 0.9, "changed", "pending")
    await decide(api, "approved", *await listed(api))
    for _ in range(3):
        await scan(api)
    assert await cut_off(first) == ("1.27", 0.9, "returned", "pending")
    # The whole output has the collector's last word.
    await scan(api, first)
    (row,) = await listed(api)
    assert (row["data"], row["change"]) == (first["data"], "changed")


async def test_what_nobody_decided_on_stays_new_until_somebody_did(api):
    await scan(api, DB)
    await scan(api, DB | {"data": {"product": "PostgreSQL", "version": "18.1"}})
    assert await lives(api) == {DB["key"]: ("new", "pending", 0)}
    await decide(api, "approved", *await listed(api))
    await scan(api, DB)
    assert await lives(api) == {DB["key"]: ("changed", "pending", 0)}


async def test_a_summary_counts_each_discovery_once_for_each_thing_that_happened(api, engine):
    await scan(api, DB, WEB, {"kind": "made_up", "key": "192.0.2.1"})
    await decide(api, "approved", *await listed(api))
    for product in ("other", "third"):
        await scan(api, DB | {"data": {"product": product}}, WEB)
    for _ in range(3):
        await scan(api, DB | {"data": {"product": "third"}})
    answer = await api.client.get(f"{PATH}/summary", params={"since": "2026-01-01T00:00:00Z"})
    happened = [
        {"change": "changed", "kind": "service", "count": 1},
        {"change": "gone", "kind": "of other kinds", "count": 1},
        {"change": "gone", "kind": "service", "count": 1},
    ]
    found = [
        {"change": "new", "kind": "of other kinds", "count": 1},
        {"change": "new", "kind": "service", "count": 2},
    ]
    assert answer.json()["counts"] == [*happened, *found]
    # Undecided ones, too, are new only once.
    await decide(api, "pending", *await listed(api))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.discoveries SET found_at = '2025-12-31T00:00:00Z'"))
    answer = await api.client.get(f"{PATH}/summary", params={"since": "2026-01-01T00:00:00Z"})
    assert answer.json()["counts"] == happened
    answer = await api.client.get(f"{PATH}/summary", params={"since": "2999-01-01T00:00:00Z"})
    assert answer.json()["counts"] == []
    assert (await api.client.get(f"{PATH}/summary", params={"since": "today"})).status_code == 422
