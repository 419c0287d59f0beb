"""A database error says which statement failed and why, and no value: rows and parameters hold secrets."""

import logging

import pytest
from approval_routes import ROUTES
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from approval_api.database.engine import create_engine
from approval_api.identity.roles import SCOPES, Role

PASSWORD = "several words of nobody"
NEW_PASSWORD = "another few secret words"
MARK = "mark-of-a-secret"
WRITTEN = (
    "people",
    "logins",
    "known_browsers",
    "api_tokens",
    "invitations",
    "login_throttle",
    "audit_log",
    "discoveries",
    "dryrun_sessions",
)


def bodies(person_id):
    """A body for each route that writes something secret, or something that a log may not repeat."""
    return [
        ("PUT", "/me/password", {"current": PASSWORD, "new": NEW_PASSWORD}),
        ("POST", "/me/tokens", {"label": MARK, "scopes": ["read"]}),
        ("POST", "/people", {"name": "victim", "display_name": MARK, "roles": ["viewer"]}),
        ("PATCH", f"/people/{person_id}", {"display_name": MARK}),
        ("POST", f"/people/{person_id}/invitation", None),
        (
            "POST",
            "/production/discoveries",
            {
                "collector": "network",
                "discoveries": [{"kind": "host", "key": "192.0.2.1", "data": {"x": MARK}}],
            },
        ),
        ("POST", "/dryrun/sessions", {"template": "small"}),
        ("POST", "/login", {"name": MARK, "password": MARK}),
        ("POST", "/login", {"name": "ada", "password": PASSWORD}),
        ("POST", "/login", {"name": "ada", "password": NEW_PASSWORD}),
    ]


def logged(caplog):
    """Everything that a log would hold: messages, what stands beside them, and tracebacks."""
    formatter = logging.Formatter()
    lines = []
    for record in caplog.records:
        lines.append(repr(vars(record)))
        if record.exc_info:
            lines.append(formatter.formatException(record.exc_info))
    return "\n".join(lines)


@pytest.mark.parametrize("table", WRITTEN)
async def test_no_write_that_fails_puts_a_value_in_the_log_or_the_answer(browsers, engine, caplog, table):
    ada = await browsers("ada", Role.ADMIN, Role.OPERATOR)
    async with engine.begin() as connection:
        person_id = await connection.scalar(text("SELECT id FROM gateway.people"))
        stored = await connection.scalar(text("SELECT password_hash FROM gateway.people"))
        await connection.execute(
            text(f"ALTER TABLE gateway.{table} ADD CONSTRAINT broken CHECK (false) NOT VALID")
        )
    caplog.set_level("INFO")
    caplog.clear()
    answers = [(await ada.ask(method, path, json=body)) for method, path, body in bodies(person_id)]
    failed = [answer for answer in answers if answer.status_code == 503]
    assert failed, "the constraint was never met"
    log = logged(caplog)
    assert "broken" in log
    cookies = [value.strip('"') for value in dict(ada.client.cookies).values()]
    for secret in (PASSWORD, NEW_PASSWORD, MARK, stored, "$argon2", "\\\\x", "Failing row", *cookies):
        assert secret not in log, secret
        assert all(secret not in answer.text for answer in failed), secret


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("SELECT CAST(:x AS uuid)", {"x": MARK}),
        ("SELECT CAST(CAST(:x AS text) AS uuid)", {"x": MARK}),
        ("SELECT CAST(CAST(:x AS text) AS integer)", {"x": MARK}),
        ("SELECT CAST(:x AS text)", {"x": f"{MARK}\x00"}),
        ("SELECT CAST(:x AS text)", {"x": f"{MARK}\udcff"}),
        ("SELECT CAST(:x AS jsonb)", {"x": f'"{MARK}\\u0000"'}),
        ("SELECT CAST(:x AS timestamptz)", {"x": MARK}),
        ("SELECT nothing FROM gateway.people WHERE name = :x", {"x": MARK}),
        ("INSERT INTO gateway.people (id, name) VALUES (gen_random_uuid(), :x)", {"x": MARK}),
        ("INSERT INTO gateway.people (id, name) VALUES (gen_random_uuid(), :x)", {"x": [MARK]}),
    ],
)
async def test_no_database_error_quotes_a_parameter(database_url, statement, values):
    engine = create_engine(database_url)
    try:
        with pytest.raises(DBAPIError) as raised:
            async with engine.begin() as connection:
                await connection.execute(text(statement), values)
        shown = logging.Formatter().formatException((raised.type, raised.value, raised.tb))
        assert MARK not in shown.replace("test_database_errors", "")
        assert "Error" in str(raised.value)
    finally:
        await engine.dispose()


async def test_an_error_still_says_what_an_operator_needs(engine):
    for statement, words in (
        ("SELECT * FROM gateway.nothing", 'relation "gateway.nothing" does not exist'),
        ("INSERT INTO gateway.people (id, name) VALUES (gen_random_uuid(), 'x')", "display_name"),
    ):
        with pytest.raises(DBAPIError, match=words):
            async with engine.begin() as connection:
                await connection.execute(text(statement))


NUL = "a\u0000b"
SENT = {
    ("POST", "/api/v1/dryrun/sessions/{session_id}/checks"): {"outcome": {"hosts": 1, "products": {NUL: 1}}},
    ("POST", "/api/v1/dryrun/schedules"): {
        "cron": NUL,
        "timezone": NUL,
        "experiment": {"name": NUL, "templates": [NUL], "collectors": {NUL: [NUL]}},
    },
    ("PUT", "/api/v1/dryrun/criteria/default"): {"name": NUL},
    ("PUT", "/api/v1/dryrun/criteria/sets/{name}"): {"kinds": {NUL: {}}, "collectors": {NUL: {}}},
    ("POST", "/api/v1/dryrun/experiments"): {"name": NUL, "templates": [NUL], "collectors": {NUL: [NUL]}},
    ("POST", "/api/v1/login"): {"name": NUL, "password": NUL},
    ("POST", "/api/v1/invitations/taken"): {"secret": NUL, "password": PASSWORD + NUL},
    ("PUT", "/api/v1/me/password"): {"current": NUL, "new": NEW_PASSWORD + NUL},
    ("POST", "/api/v1/me/tokens"): {"label": NUL, "scopes": ["read"]},
    ("POST", "/api/v1/me/channels"): {
        "name": NUL,
        "kind": "email",
        "address": NUL,
        "occasions": [NUL],
        "timezone": NUL,
    },
    ("POST", "/api/v1/people"): {"name": NUL, "display_name": NUL, "roles": ["viewer"]},
    ("PATCH", "/api/v1/people/{person_id}"): {"display_name": NUL},
    ("POST", "/api/v1/production/discoveries"): {
        "collector": NUL,
        "discoveries": [{"kind": "host", "key": NUL, "data": {NUL: NUL}}],
    },
    ("POST", "/api/v1/production/scans/{scan_id}/end"): {"complete": True, "not_covered": [NUL]},
    ("POST", "/api/v1/production/rules/{rule_id}/on"): {"preview": NUL},
    ("POST", "/api/v1/dryrun/badges"): {"template": NUL},
    ("POST", "/api/v1/production/rules"): {
        "name": "x",
        "collectors": ["network"],
        "reporters": [NUL],
        "kinds": ["service"],
        "subnets": ["10.0.0.0/8"],
        "min_confidence": 0,
        "attributes": {"product": [NUL]},
    },
    ("POST", "/api/v1/production/scans"): {"collector": NUL, "targets": [NUL], "profile": "full"},
    ("POST", "/api/v1/production/discoveries/decisions"): {
        "decision": "approved",
        "note": NUL,
        "discoveries": [{"id": 2**63, "revision": 2**40}],
    },
    ("POST", "/api/v1/production/destinations"): {
        "name": NUL,
        "kind": "webhook",
        "url": NUL,
        "credential": NUL,
    },
    ("POST", "/api/v1/dryrun/sessions"): {"template": NUL, "seed": 2**70},
    ("POST", "/api/v1/dryrun/discoveries/decisions"): {
        "decision": "approved",
        "note": NUL,
        "discoveries": [{"id": 1, "revision": 2**31}],
    },
}
FORMS = (
    "/sign-in",
    "/invitation",
    "/dryrun/sessions",
    "/dryrun/criteria",
    "/dryrun/discoveries",
    "/production/discoveries",
    "/production/rules",
    "/production/destinations",
    "/notifications",
    "/account/password",
    "/account/tokens",
    "/people",
    "/people/{person_id}",
)
FIELDS = (
    "name",
    "password",
    "secret",
    "current",
    "new",
    "label",
    "collectors",
    "display_name",
    "template",
    "note",
    "role",
    "scope",
    "days",
    "next",
    "seed",
    "decision",
    "selected",
    "kind",
    "kinds",
    "url",
    "address",
    "occasions",
    "quiet_from",
    "timezone",
    "gather_minutes",
    "id",
    "revision",
)


async def test_text_that_cannot_be_stored_is_a_fault_of_the_request_on_every_route(browsers, engine, caplog):
    ada = await browsers("ada", Role.ADMIN)
    async with engine.begin() as connection:
        person_id = await connection.scalar(text("SELECT id FROM gateway.people"))
    given = {
        "person_id": person_id,
        "discovery_id": 1,
        "template_id": "a%00b",
        "version": "x",
        "name": "a%00b",
        "session_id": "a%00b",
        "experiment_id": "a%00b",
        "check_id": "a%00b",
        "scan_id": "a%00b",
        "rule_id": "a%00b",
        "badge_id": "a%00b",
        "shape": "svg",
        "schedule_id": "a%00b",
        "destination_id": "a%00b",
        "delivery_id": "a%00b",
        "channel_id": "a%00b",
        "token_id": "a%00b",
    }
    headers = {"X-CSRF-Token": ada.csrf}
    caplog.set_level("WARNING")
    refused_late = []
    for method, path in ROUTES:
        if path.endswith(("logout", "sign-out")):
            continue
        concrete = path.replace(":path", "").replace(":int", "").format(**given)
        query = "?" + "&".join(
            f"{name}=a%00b"
            for name in (
                "cursor",
                "search",
                "kind",
                "collector",
                "status",
                "sort",
                "actor",
                "action",
                "outcome",
                "next",
                "state",
                "code",
                "secret",
                "after",
                "session",
                "template",
                "key",
                "attribute",
                "edit",
                "a",
                "b",
                "phase",
            )
        )
        sent = [{"json": SENT[method, path]}] if (method, path) in SENT else [{}]
        if method == "POST" and path in FORMS:
            sent = [{"data": {**dict.fromkeys(FIELDS, NUL), "csrf_token": ada.csrf}}]
        for each in sent:
            for suffix in ("", query):
                answer = await ada.client.request(method, concrete + suffix, headers=headers, **each)
                assert answer.status_code < 500 or answer.status_code == 502, (
                    method,
                    concrete,
                    suffix,
                    answer.text,
                )
                if "cannot store" in caplog.text:
                    refused_late.append((method, concrete, suffix))
                    caplog.clear()
        if (await ada.ask("GET", "/me")).status_code == 401:
            await ada.sign_in()
            headers = {"X-CSRF-Token": ada.csrf}
    assert refused_late == [], "a value was refused by the database, and not before"


def test_the_tables_bodies_are_all_tried():
    writing = {
        route for route in ROUTES if route[0] in {"POST", "PUT", "PATCH"} and route[1].startswith("/api/")
    }
    unread = {
        ("POST", "/api/v1/logout"),
        ("POST", "/api/v1/people/{person_id}/invitation"),
        ("POST", "/api/v1/dryrun/sessions/{session_id}/stop"),
        ("POST", "/api/v1/dryrun/sessions/{session_id}/report"),
        ("POST", "/api/v1/dryrun/experiments/{experiment_id}/stop"),
        ("POST", "/api/v1/dryrun/experiments/{experiment_id}/continue"),
        ("POST", "/api/v1/dryrun/schedules/{schedule_id}/pause"),
        ("POST", "/api/v1/dryrun/schedules/{schedule_id}/resume"),
        ("POST", "/api/v1/production/rules/{rule_id}/off"),
        ("POST", "/api/v1/production/destinations/{destination_id}/check"),
        ("POST", "/api/v1/production/destinations/{destination_id}/deliveries"),
        ("POST", "/api/v1/production/deliveries/{delivery_id}/approve"),
        ("POST", "/api/v1/production/deliveries/{delivery_id}/discard"),
        ("POST", "/api/v1/production/deliveries/{delivery_id}/resend"),
        ("POST", "/api/v1/me/channels/{channel_id}/test"),
    }
    assert writing - unread == set(SENT)
    assert SCOPES
