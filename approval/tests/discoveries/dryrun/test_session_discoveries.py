from uuid import UUID

import pytest

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
