import asyncio
from uuid import UUID

import pytest
from sqlalchemy import text

from approval_api.scoring.naming import Place, name_place
from dryrun_contract.discovery import Discovery
from dryrun_contract.event import AddressesMapped, DiscoveryReported


def found(kind, key, line, **data):
    discovery = Discovery(kind=kind, key=key, confidence=0.9, data=data)
    return DiscoveryReported(collector="network", run="r1", line=line, discovery=discovery)


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("10.0.0.2", Place("db", "db")),
        ("10.0.0.2:5432/tcp/shop/a%2Fb", Place("db:5432/tcp/shop/a%2Fb", "db")),
        ("10.0.0.2:05432/tcp", Place("db:5432/tcp", "db")),
        ("10.0.0.9:80/tcp", Place("10.0.0.9:80/tcp", None)),
        ("db:5432/tcp", Place("db:5432/tcp", None)),
        ("no key at all", Place("no key at all", None)),
    ],
)
def test_only_a_known_address_becomes_a_services_name(key, place):
    assert name_place(key, {"10.0.0.2": "db"}) == place


async def test_discoveries_are_paged_by_service_name_and_kind(api, orchestrator, eventually):
    session_id = await api.start()
    session = UUID(session_id)
    orchestrator.tell(session, AddressesMapped(addresses={"10.213.0.3": "db"}))
    orchestrator.tell(session, found("host", "10.213.0.3", 1))
    orchestrator.tell(session, found("service", "10.213.0.3:5432/tcp", 2, product="<b>PostgreSQL</b>"))
    orchestrator.tell(session, found("host", "10.213.0.9", 3))

    async def arrived():
        page = (await api.get(f"/sessions/{session_id}/discoveries")).json()
        return page if len(page["discoveries"]) == 3 else None

    page = await eventually(arrived)
    assert page["next"] is None
    service = page["discoveries"][1]
    assert service.pop("found_at")
    assert service == {
        "collector": "network",
        "run": "r1",
        "line": 2,
        "kind": "service",
        "key": "10.213.0.3:5432/tcp",
        "named_key": "db:5432/tcp",
        "service": "db",
        "data": {"product": "<b>PostgreSQL</b>"},
        "confidence": 0.9,
    }
    assert page["discoveries"][2]["service"] is None
    hosts = (await api.get(f"/sessions/{session_id}/discoveries", params={"kind": "host", "limit": 1})).json()
    assert [one["named_key"] for one in hosts["discoveries"]] == ["db"]
    rest = (
        await api.get(f"/sessions/{session_id}/discoveries", params={"kind": "host", "cursor": hosts["next"]})
    ).json()
    assert [one["named_key"] for one in rest["discoveries"]] == ["10.213.0.9"]


async def test_one_sessions_discoveries_are_not_anothers(api, orchestrator, eventually):
    first, second = await api.start(), await api.start()
    orchestrator.tell(UUID(first), found("host", "10.213.0.3", 1))

    async def arrived():
        return len((await api.get(f"/sessions/{first}/discoveries")).json()["discoveries"]) == 1

    await eventually(arrived)
    assert (await api.get(f"/sessions/{second}/discoveries")).json()["discoveries"] == []


@pytest.fixture
def programs():
    return "ada/operator+approver"


@pytest.mark.whole_pool
async def test_a_decision_and_news_of_what_it_decides_wait_for_each_other(
    api, orchestrator, engine, eventually
):
    """Reports come in any order; a deadlock ended one of the two after a second."""
    session_id = await api.start()
    keys = ["10.213.0.3", "10.213.0.9"]
    for line, key in enumerate(keys, start=1):
        orchestrator.tell(UUID(session_id), found("host", key, line))

    async def listed():
        rows = (await api.get("/discoveries")).json()["discoveries"]
        return sorted(rows, key=lambda row: row["id"]) if len(rows) == 2 else None

    rows = await eventually(listed)
    seen = [{"id": row["id"], "revision": row["revision"]} for row in rows]
    async with engine.begin() as connection:
        first = {"id": rows[0]["id"]}
        await connection.execute(
            text("SELECT 1 FROM gateway.dryrun_discoveries WHERE id = :id FOR UPDATE"), first
        )
        body = {"decision": "rejected", "discoveries": seen}
        deciding = asyncio.create_task(api.post("/discoveries/decisions", json=body))
        await asyncio.sleep(0.3)
        for line, key in enumerate(reversed(keys), start=3):
            news = found("host", key, line)
            surer = news.discovery.model_copy(update={"confidence": 1.0})
            orchestrator.tell(UUID(session_id), news.model_copy(update={"discovery": surer}))
        # Longer than PostgreSQL waits before it looks for a deadlock: the decision would look next.
        await asyncio.sleep(1.7)
    answer = await deciding
    assert (answer.status_code, answer.json()["decided"]) == (200, [row["id"] for row in rows])

    async def renewed():
        return {row["confidence"] for row in await listed()} == {1.0}

    await eventually(renewed)
