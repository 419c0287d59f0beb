"""Scans of production as a collector reports them, and what becomes of the discoveries."""

PATH = "/api/v1/production/discoveries"
SCANS = "/api/v1/production/scans"
DB = {"kind": "service", "key": "192.0.2.7:5432/tcp", "data": {"product": "PostgreSQL", "version": "17.2"}}
WEB = {"kind": "service", "key": "192.0.2.8:443/tcp", "data": {"product": "nginx"}}
NAMED = {"kind": "host", "key": "printer.example"}
NET = "192.0.2.0/24"


async def begin(api, *, collector="network", targets=(NET,), exclude=(), profile="full", began_at=None):
    body = {"collector": collector, "targets": targets, "exclude": exclude, "profile": profile}
    body |= {"began_at": began_at} if began_at else {}
    answer = await api.client.post(SCANS, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def scan(api, *found, complete=True, not_covered=(), **how):
    scan_id = await begin(api, **how)
    if found:
        body = {"collector": how.get("collector", "network"), "scan": scan_id, "discoveries": found}
        answer = await api.client.post(PATH, json=body)
        assert answer.status_code == 200, answer.text
    body = {"complete": complete, "not_covered": not_covered}
    answer = await api.client.post(f"{SCANS}/{scan_id}/end", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["missed"], answer.json()["gone"]


async def listed(api, **params):
    answer = await api.client.get(PATH, params={"sort": "key", **params})
    assert answer.status_code == 200, answer.text
    return answer.json()["discoveries"]


async def decide(api, decision, *rows):
    seen = [{"id": row["id"], "revision": row["revision"]} for row in rows]
    answer = await api.client.post(f"{PATH}/decisions", json={"decision": decision, "discoveries": seen})
    assert answer.json()["decided"] == sorted(row["id"] for row in rows)


async def lives(api):
    return {row["key"]: (row["change"], row["status"], row["missed_scans"]) for row in await listed(api)}


async def changes(api, row):
    return (await api.client.get(f"{PATH}/{row['id']}/changes")).json()["changes"]
