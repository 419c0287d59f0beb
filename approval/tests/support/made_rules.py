"""A rule, what it names, and how tests make it, switch it on and look at what it did."""

from sqlalchemy import text

PATH = "/api/v1/production/discoveries"
RULES = "/api/v1/production/rules"
SCANS = "/api/v1/production/scans"
LAB = {"Authorization": "Bearer lab-token-of-the-tests"}
RULE = {
    "name": "lab-web",
    "collectors": ["network"],
    "reporters": ["program:lab"],
    "kinds": ["service", "host"],
    "subnets": ["192.0.2.0/24", "2001:db8::/64"],
    "min_confidence": 0.9,
    "attributes": {"product": ["nginx", "Apache httpd"], "version": "any"},
}
WEB = {
    "kind": "service",
    "key": "192.0.2.8:443/tcp",
    "data": {"product": "nginx", "version": "1.26.3"},
    "confidence": 0.95,
}
HOST = {"kind": "host", "key": "192.0.2.9", "data": {"names": ["a"]}, "confidence": 1}
PROGRAMS = "lab/operator/network+database:lab-token-of-the-tests,ada/approver"


async def report(api, *discoveries, collector="network", headers=LAB, cut_off=False):
    body = {"collector": collector, "discoveries": discoveries, "cut_off": cut_off}
    answer = await api.client.post(PATH, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["approved"]


async def make(api, **changes):
    answer = await api.client.post(RULES, json=RULE | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def switch_on(api, rule):
    preview = (await api.client.get(f"{RULES}/{rule['id']}/preview")).json()
    answer = await api.client.post(f"{RULES}/{rule['id']}/on", json={"preview": preview["digest"]})
    assert answer.status_code == 200, answer.text
    return preview


async def listed(api):
    answer = await api.client.get(PATH, params={"sort": "oldest"})
    return answer.json()["discoveries"]


async def states(api):
    return {row["key"]: row["status"] for row in await listed(api)}


async def decide(api, decision, row):
    body = {"decision": decision, "discoveries": [{"id": row["id"], "revision": row["revision"]}]}
    assert (await api.client.post(f"{PATH}/decisions", json=body)).json()["decided"]


async def lines(engine, action):
    async with engine.connect() as connection:
        found = await connection.execute(
            text(
                "SELECT actor, object, detail, request_id FROM gateway.audit_log "
                "WHERE action = :a ORDER BY id"
            ),
            {"a": action},
        )
        return [tuple(row) for row in found]
