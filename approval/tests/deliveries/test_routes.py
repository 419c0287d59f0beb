"""Deliveries by the API: who does what, what is refused, and what the audit log holds."""

import asyncio
import json

import pytest
from made_deliveries import add_destination, approve, approve_discoveries, preview, set_status
from sqlalchemy import text

from approval_api.deliveries import repository, service

PRODUCTION = "/api/v1/production"
BOB = {"Authorization": "Bearer another-token-of-the-tests"}
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def programs():
    return "ada/admin+approver"


async def ask(api, method, path, status, **kwargs):
    answer = await api.client.request(method, f"{PRODUCTION}{path}", **kwargs)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


@pytest.mark.whole_pool
async def test_there_are_so_many_destinations_and_no_more_however_they_are_requested(
    api, monkeypatch, slow_after
):
    monkeypatch.setattr(service, "MOST_DESTINATIONS", 1)
    slow_after(repository, "count_destinations")
    wanted = [{"name": name, "kind": "csv"} for name in ("first", "second", "third")]
    answers = await asyncio.gather(
        *(api.client.post(f"{PRODUCTION}/destinations", json=each) for each in wanted)
    )
    assert sorted(answer.status_code for answer in answers) == [201, 429, 429]
    refused = next(answer.json() for answer in answers if answer.status_code == 429)
    assert refused["type"] == "urn:dryrun:problem:too-many-destinations"


async def test_from_a_destination_to_a_file(api, engine):
    await approve_discoveries(
        engine, ("host", "192.0.2.1", "{}"), ("service", "192.0.2.1:22/tcp", '{"product": "x"}')
    )
    wanted = {"name": "nightly", "kind": "csv"}
    destination = await ask(api, "POST", "/destinations", 201, json=wanted)
    assert (await ask(api, "POST", "/destinations", 409, json=wanted))["type"].endswith("destination-exists")
    assert (await ask(api, "GET", "/destinations", 200))["destinations"] == [destination]
    delivery = await ask(api, "POST", f"/destinations/{destination['id']}/deliveries", 201)
    assert (delivery["state"], delivery["counts"]["create"]) == ("planned", 2)
    path = f"/deliveries/{delivery['id']}"
    assert (await ask(api, "GET", f"{path}/file", 409))["type"].endswith("no-file")
    page = await ask(api, "GET", f"{path}/items?limit=1", 200)
    (rest,) = (await ask(api, "GET", f"{path}/items?limit=1&cursor={page['next']}", 200))["items"]
    assert [page["items"][0]["key"], rest["key"]] == ["192.0.2.1", "192.0.2.1:22/tcp"]
    for _ in range(2):
        approved = await ask(api, "POST", f"{path}/approve", 202)
        assert (approved["state"], approved["approved_by"]) == ("done", "program:ada")
    refused = await ask(api, "POST", f"{path}/discard", 409)
    assert refused["type"].endswith("delivery-state")
    assert refused["detail"].endswith("is done and cannot be discarded; all of it was sent")
    file = await api.client.get(f"{PRODUCTION}{path}/file")
    assert file.headers["content-disposition"].startswith('attachment; filename="nightly-')
    assert len(file.text.splitlines()) == 3
    lines = (await api.client.get(f"{PRODUCTION}{path}/file?format=ndjson")).text.splitlines()
    assert [json.loads(line)["discovery"]["key"] for line in lines] == ["192.0.2.1", "192.0.2.1:22/tcp"]
    assert (await ask(api, "GET", "/deliveries", 200))["deliveries"] == [approved]
    assert (await ask(api, "POST", f"/destinations/{destination['id']}/deliveries", 409))["type"].endswith(
        "nothing-to-deliver"
    )
    await ask(api, "DELETE", f"/destinations/{destination['id']}", 204)
    await ask(api, "GET", path, 404)
    async with engine.connect() as connection:
        actions = await connection.execute(
            text("SELECT action FROM gateway.audit_log WHERE outcome = 'done'")
        )
        assert {"add_destination", "preview_delivery", "approve_delivery", "remove_destination"} <= {
            row.action for row in actions
        }


async def test_the_page_of_a_delivery_says_when_its_destination_is_tried_again(api, engine):
    await approve_discoveries(engine, ("host", "192.0.2.1", "{}"))
    destination = await add_destination(engine, kind="netbox", url="https://netbox", credential="netbox")
    page = f"/production/deliveries/{(await preview(engine, destination)).id}"
    for moment, is_said in (("2126-11-20 10:00+00", True), ("2026-11-20 10:00+00", False)):
        async with engine.begin() as connection:
            await connection.execute(text(f"UPDATE gateway.destinations SET not_before = '{moment}'"))
        shown = (await api.client.get(page, headers={"Accept": "text/html"})).text
        assert ("it is tried again at" in shown) is is_said


async def test_a_file_holds_nothing_that_lost_its_approval_or_changed(api, engine):
    hosts = [("host", f"192.0.2.{number}", "{}") for number in range(1, 4)]
    await approve_discoveries(engine, *hosts)
    delivery = await preview(engine, await add_destination(engine, kind="ndjson"))
    await approve(engine, delivery.id)
    await set_status(engine, "192.0.2.1", "rejected")
    await approve_discoveries(engine, ("host", "192.0.2.2", '{"changed": true}'))
    file = await api.client.get(f"{PRODUCTION}/deliveries/{delivery.id}/file")
    assert [json.loads(line)["discovery"]["key"] for line in file.text.splitlines()] == ["192.0.2.3"]


async def test_the_path_of_a_hook_is_shown_to_administrators_alone(api, engine):
    await approve_discoveries(engine, ("host", "192.0.2.1", "{}"))
    hook = {"name": "cmdb", "kind": "webhook", "url": "https://h.example.com:8443/s3cr3t?k=s3cr3t#s3cr3t"}
    made = await ask(api, "POST", "/destinations", 201, json={**hook, "credential": "hook"})
    assert (await ask(api, "GET", "/destinations", 200))["destinations"] == [made]
    delivery = await ask(api, "POST", f"/destinations/{made['id']}/deliveries", 201)
    for path in ("/destinations", "/deliveries", f"/deliveries/{delivery['id']}"):
        shown = json.dumps(await ask(api, "GET", path, 200, headers=BOB))
        assert "https://h.example.com:8443" in shown
        assert "s3cr3t" not in shown
    async with engine.connect() as connection:
        written = await connection.execute(
            text("SELECT detail FROM gateway.audit_log WHERE action = 'add_destination'")
        )
        detail = written.scalar_one()
    assert "https://h.example.com:8443" in detail
    assert "s3cr3t" not in detail


@pytest.mark.parametrize(
    "wanted",
    [
        {"name": "x", "kind": "webhook"},
        {"name": "x", "kind": "webhook", "url": "https://hooks.example.com/"},
        {"name": "x", "kind": "webhook", "url": "ftp://hooks.example.com/", "credential": "hook"},
        {"name": "x", "kind": "webhook", "url": "x", "credential": "hook"},
        {"name": "x", "kind": "webhook", "url": "https://a:b@hooks.example.com/", "credential": "hook"},
        {"name": "x", "kind": "csv", "url": "https://hooks.example.com/"},
        {"name": "X y", "kind": "csv"},
        {"name": "x", "kind": "telnet"},
        {"name": "x", "kind": "csv", "kinds": ["a"] * 41},
    ],
)
async def test_what_is_no_destination_is_refused(api, wanted):
    await ask(api, "POST", "/destinations", 422, json=wanted)


async def test_twenty_destinations_are_the_most(api):
    for number in range(20):
        await ask(api, "POST", "/destinations", 201, json={"name": f"d{number}", "kind": "csv"})
    await ask(api, "POST", "/destinations", 429, json={"name": "one-more", "kind": "csv"})


async def test_unknown_ones_are_404(api):
    for method, path in (
        ("GET", "/deliveries/{}"),
        ("GET", "/deliveries/{}/items"),
        ("GET", "/deliveries/{}/file"),
        ("POST", "/deliveries/{}/approve"),
        ("POST", "/deliveries/{}/discard"),
        ("POST", "/deliveries/{}/resend"),
        ("POST", "/destinations/{}/deliveries"),
        ("DELETE", "/destinations/{}"),
    ):
        await ask(api, method, path.format(NOBODY), 404)
