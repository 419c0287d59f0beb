"""Who sends a body, and whether they may, is known before its first byte is read; then it is bounded."""

import asyncio
import inspect
import json
import re
from urllib.parse import urlsplit

import pytest
from approval_routes import OPEN, PRODUCTION, ROUTES
from fastapi.routing import APIRoute, iter_route_contexts

from approval_api.app import create_app
from approval_api.identity.roles import Permission, Role
from dryrun_contract.bounded_json import check_bounds
from dryrun_contract.discovery import LINE_BOUNDS
from dryrun_serving.rate_limit import RateLimit

UNSAFE = sorted(route for route in ROUTES if route[0] != "GET")
GUARDED = [route for route in sorted(ROUTES) if ROUTES[route] is not OPEN]
CONTENT_TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")
ANY_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def path_of(route):
    given = {
        "session_id": ANY_ID,
        "person_id": ANY_ID,
        "token_id": ANY_ID,
        "experiment_id": ANY_ID,
        "check_id": ANY_ID,
        "scan_id": ANY_ID,
        "rule_id": ANY_ID,
        "badge_id": "A" * 22,
        "shape": "svg",
        "schedule_id": ANY_ID,
        "destination_id": ANY_ID,
        "delivery_id": ANY_ID,
        "channel_id": ANY_ID,
        "discovery_id": "1",
    }
    path = re.sub(r":(path|int)", "", route[1])
    return path.format(**given, template_id="small", version="x", name="x")


class Asked:
    """One request put to the application itself: what was read of its body, and what was answered."""

    def __init__(self):
        self.reads = 0
        self.status = 0
        self.body = b""

    async def ask(self, app, method, path, headers=(), chunks=(b"[" * 1000,)):
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"a"), (b"transfer-encoding", b"chunked"), *headers],
            "client": ("192.0.2.7", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        left = list(chunks)

        async def receive():
            self.reads += 1
            if not left:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

        async def send(message):
            if message["type"] == "http.response.start":
                self.status = message["status"]
            else:
                self.body += message.get("body", b"")

        async with asyncio.timeout(10):
            await app(scope, receive, send)
        return self


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
async def test_no_route_reads_a_byte_of_who_proves_nothing(api, content_type):
    # More requests than one address may send at once: that limit is not what is tested here.
    api.app.state.rate_limit = RateLimit(10_000, 10_000)
    for method, path in GUARDED:
        for shown in ((), ((b"authorization", b"Bearer wrong"),), ((b"cookie", b"approval=wrong"),)):
            headers = ((b"content-type", content_type.encode()), *shown)
            asked = await Asked().ask(api.app, method, path_of((method, path)), headers)
            assert (asked.status, asked.reads) == (401, 0), (method, path, shown)


@pytest.mark.parametrize("proof", ["cookie", "token"])
async def test_no_route_reads_a_byte_of_who_may_not(api, browsers, proof):
    asking = await browsers("asking", Role.VIEWER)
    if proof == "cookie":
        shown = [
            (b"cookie", f"approval={asking.client.cookies['approval']}".encode()),
            (b"x-csrf-token", asking.csrf.encode()),
        ]
    else:
        made = await asking.ask("POST", "/me/tokens", json={"label": "t", "scopes": ["read"]})
        shown = [(b"authorization", f"Bearer {made.json()['secret']}".encode())]
    for route in UNSAFE:
        if ROUTES[route] in {OPEN, Permission.READ, Permission.OWN_ACCOUNT}:
            continue
        asked = await Asked().ask(api.app, route[0], path_of(route), shown)
        assert (asked.status, asked.reads) == (403, 0), route


async def test_a_cookies_request_from_elsewhere_is_refused_unread(api, browsers):
    asking = await browsers("asking", Role.ADMIN)
    cookie = (b"cookie", f"approval={asking.client.cookies['approval']}".encode())
    form = (b"content-type", b"application/x-www-form-urlencoded")
    for more in ((), (form, (b"sec-fetch-site", b"cross-site"))):
        asked = await Asked().ask(api.app, "POST", "/people", [cookie, *more])
        assert (asked.status, asked.reads) == (403, 0)


async def test_a_form_shows_in_its_field_that_a_page_of_ours_sent_it(api, browsers):
    asking = await browsers("asking", Role.ADMIN)
    for field, status in (("wrong", 403), (asking.csrf, 303)):
        answer = await asking.client.post("/sign-out", data={"csrf_token": field})
        assert answer.status_code == status


async def test_who_asks_too_often_is_refused_unread_on_open_routes_too(settings, orchestrator, serving):
    few = settings.model_copy(update={"requests_per_second": 0.01, "requests_burst": 1})
    async with serving(create_app(few, orchestrator_transport=orchestrator)) as api:
        body = json.dumps({"name": "nobody", "password": "x"}).encode()
        json_type = (b"content-type", b"application/json")
        first = await Asked().ask(api.app, "POST", "/api/v1/login", [json_type], [body])
        assert (first.status, first.reads) == (401, 1)
        for shown in ((), ((b"authorization", b"Bearer wrong"),)):
            second = await Asked().ask(api.app, "POST", "/api/v1/login", [json_type, *shown], [body])
            assert (second.status, second.reads) == (429, 0)


async def test_four_mebibytes_without_a_token_are_answered_before_they_are_sent(api):
    address = urlsplit(str(api.client.base_url))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST {PRODUCTION} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: 4194304\r\n\r\n".encode() + b"[")
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 401 ")
    writer.close()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[" + b"[]," * 5_000 + b"[]]", "more than 4000 values"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, "nested deeper than 16, or brackets that do not match"),
        (b'{"' + b"k" * 300 + b'":1}', "an object key is longer than 256 characters"),
        (('["∀",' + "[]," * 5_000 + "[]]").encode("utf-16-le"), "is not UTF-8"),
        (("[" + "[]," * 5_000 + "[]]").encode("utf-32"), "is not UTF-8"),
    ],
)
async def test_a_body_is_measured_before_it_becomes_values(api, monkeypatch, body, reason):
    monkeypatch.setattr(json, "loads", None)
    answer = await api.client.post(
        "/api/v1/login", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    monkeypatch.undo()
    assert answer.json()["faults"] == [{"where": "body", "what": reason}]


async def test_a_report_may_hold_more_and_not_without_end(api):
    body = b'{"collector":"network","discoveries":[' + b"[]," * 200_000 + b"[]]}"
    answer = await api.client.post(PRODUCTION, content=body, headers={"Content-Type": "application/json"})
    assert answer.json()["faults"] == [{"where": "body", "what": "more than 100000 values"}]


@pytest.mark.parametrize("data", [b'{"a":' * 14 + b"{}" + b"}" * 14, b'{"' + b"k" * 4096 + b'":1}'])
async def test_a_report_takes_every_discovery_that_fits_a_line_of_a_collector(api, data):
    found = b'{"kind":"host","key":"192.0.2.1","data":%b}' % data
    check_bounds(found, LINE_BOUNDS)
    body = b'{"collector":"network","discoveries":[%b]}' % found
    answer = await api.client.post(PRODUCTION, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["new"]) == (200, 1)
    assert (await api.client.get(PRODUCTION)).json()["discoveries"][0]["data"] == json.loads(data)


async def test_a_form_has_a_bounded_number_of_fields_and_no_files(api):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await api.client.post("/sign-in", content="a&" * 1_000, headers=form)
    assert (answer.status_code, answer.json()["faults"][0]["what"]) == (422, "more than 1000 fields")
    answer = await api.client.post("/sign-in", files={"name": ("x", b"x")})
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:dryrun:problem:media-type-not-supported")


async def test_an_answer_names_a_bounded_number_of_faults(api):
    answer = await api.client.post("/api/v1/login", json={f"field_{number}": 1 for number in range(1_000)})
    assert answer.status_code == 422
    assert len(answer.json()["faults"]) == 50
    assert answer.json()["detail"].startswith("1002 faults")


async def test_a_body_that_drips_is_answered_408(settings, orchestrator, serving):
    hasty = settings.model_copy(update={"body_seconds": 0.3})
    async with serving(create_app(hasty, orchestrator_transport=orchestrator)) as api:

        async def dripping():
            for _ in range(30):
                yield b"x"
                await asyncio.sleep(0.05)

        answer = await api.client.post(
            "/api/v1/login", content=dripping(), headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["type"]) == (408, "urn:dryrun:problem:body-too-slow")


def test_every_form_has_come_before_a_turn_or_a_connection_is_taken(settings):
    """Dependencies are solved in their order: a form that drips must hold nothing that others wait for."""
    orders = [
        (route.path, list(inspect.signature(route.original_route.endpoint).parameters))
        for route in iter_route_contexts(create_app(settings).routes)
        if isinstance(route.original_route, APIRoute)
    ]
    forms = [(path, names) for path, names in orders if "form" in names]
    assert len(forms) > 5
    for path, names in forms:
        assert {"_turn", "transaction"}.isdisjoint(names[: names.index("form")]), path
