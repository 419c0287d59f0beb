"""Open streams: how many there may be, and that they end with what they began with."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text

from approval_api.access import open_streams
from approval_api.app import create_app
from approval_api.identity.roles import Role

EVENTS = "/api/v1/dryrun/sessions/{}/events"
LIVE = "/dryrun/sessions/{}/live"
STREAM = {"Accept": "text/event-stream"}
BOTH = pytest.mark.parametrize("path", [EVENTS, LIVE])


@asynccontextmanager
async def opened(client, path, **headers):
    async with client.stream("GET", path, headers={**STREAM, **headers}) as answer:
        yield answer


async def rest_of(answer, seconds=5):
    async with asyncio.timeout(seconds):
        return await answer.aread()


@pytest.fixture
async def served(settings, orchestrator, serving):
    few = settings.model_copy(update={"streams": 6, "streams_per_person": 4})
    async with serving(create_app(few, orchestrator_transport=orchestrator)) as api:
        yield api


@BOTH
async def test_streams_have_a_ceiling_per_person_and_in_all(served, path):
    path = path.format(await served.start())
    bob = {"Authorization": "Bearer another-token-of-the-tests"}
    async with AsyncExitStack() as streams:
        for _ in range(4):
            answer = await streams.enter_async_context(opened(served.client, path))
            assert answer.status_code == 200
        refused = await served.client.get(path, headers=STREAM)
        assert (refused.status_code, refused.json()["type"]) == (429, "urn:dryrun:problem:too-many-streams")
        assert int(refused.headers["retry-after"]) > 0
        for _ in range(2):
            answer = await streams.enter_async_context(opened(served.client, path, **bob))
            assert answer.status_code == 200
        refused = await served.client.get(path, headers={**STREAM, **bob})
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:dryrun:problem:too-many-streams")
        figures = (await served.client.get("/metrics")).text
        assert "approval_event_streams 6.0" in figures
    async with asyncio.timeout(5):
        while "approval_event_streams 0.0" not in (await served.client.get("/metrics")).text:
            await asyncio.sleep(0.02)
    async with opened(served.client, path) as answer:
        assert answer.status_code == 200


async def sign_out(browser, _):
    assert (await browser.ask("POST", "/logout")).status_code == 204


async def lose_a_role(browser, api):
    await _execute(api, "UPDATE gateway.people SET roles = '{viewer}' WHERE name = :name", browser)


async def be_locked_out(browser, api):
    await _execute(api, "UPDATE gateway.people SET active = false WHERE name = :name", browser)


async def idle_too_long(browser, api):
    await _execute(
        api,
        "UPDATE gateway.logins SET seen_at = now() - interval '9 hours' "
        "WHERE person_id = (SELECT id FROM gateway.people WHERE name = :name)",
        browser,
    )


async def _execute(api, statement, browser):
    async with api.app.state.engine.begin() as connection:
        await connection.execute(text(statement), {"name": browser.name})


@BOTH
@pytest.mark.parametrize("happens", [sign_out, lose_a_role, be_locked_out, idle_too_long])
async def test_a_stream_ends_with_the_login_it_began_with(api, browsers, path, happens):
    path = path.format(await api.start())
    ada = await browsers("eve", Role.OPERATOR, Role.APPROVER)
    other = await browsers("bea", Role.OPERATOR)
    async with opened(ada.client, path) as answer, opened(api.client, path) as programs:
        assert answer.status_code == 200
        await api.app.state.open_streams.end_unproven()
        await happens(ada, api)
        await api.app.state.open_streams.end_unproven()
        assert b"your login or token has ended" in await rest_of(answer)
        assert programs.status_code == 200
        await api.app.state.open_streams.end_unproven()
    assert (await other.client.get("/api/v1/me")).status_code == 200


@BOTH
@pytest.mark.parametrize("column", ["expires_at = now()", "scopes = '{run}'"])
async def test_a_stream_ends_with_the_token_it_began_with(api, browsers, engine, path, column):
    path = path.format(await api.start())
    ada = await browsers("eve", Role.OPERATOR)
    made = await ada.ask("POST", "/me/tokens", json={"label": "t", "scopes": ["read", "run"]})
    headers = {"Authorization": f"Bearer {made.json()['secret']}", "Cookie": ""}
    async with opened(api.client, path, **headers) as answer:
        assert answer.status_code == 200
        async with engine.begin() as connection:
            await connection.execute(text(f"UPDATE gateway.api_tokens SET {column}"))  # of the test
        await api.app.state.open_streams.end_unproven()
        assert b"your login or token has ended" in await rest_of(answer)


async def test_a_removed_token_ends_its_stream_by_itself(api, browsers, monkeypatch):
    path = EVENTS.format(await api.start())
    monkeypatch.setattr(open_streams, "RECHECK_SECONDS", 0.1)
    ada = await browsers("eve", Role.OPERATOR)
    made = await ada.ask("POST", "/me/tokens", json={"label": "t", "scopes": ["read"]})
    headers = {"Authorization": f"Bearer {made.json()['secret']}"}
    task = asyncio.create_task(api.app.state.open_streams.run())
    async with opened(api.client, path, **headers) as answer:
        await ada.ask("DELETE", f"/me/tokens/{made.json()['token']['id']}")
        await rest_of(answer)
    task.cancel()


async def test_streams_of_one_credential_are_checked_once(api, browsers, monkeypatch):
    path = EVENTS.format(await api.start())
    ada = await browsers("eve", Role.OPERATOR)
    looked = []
    find_person = open_streams.find_person
    async with AsyncExitStack() as streams:
        for _ in range(5):
            await streams.enter_async_context(opened(ada.client, path))

        async def find(request, **use):
            looked.append(request)
            return await find_person(request, **use)

        monkeypatch.setattr(open_streams, "find_person", find)
        await api.app.state.open_streams.end_unproven()
        assert len(looked) == 1


@BOTH
async def test_an_open_stream_is_no_use_of_its_login_and_ends_when_that_is_idle(api, browsers, engine, path):
    path = path.format(await api.start())
    ada = await browsers("eve", Role.OPERATOR)
    idle = api.app.state.settings.login_limits.idle
    seen = "UPDATE gateway.logins SET seen_at = now() - CAST(:ago AS interval) RETURNING seen_at"
    async with opened(ada.client, path) as answer:
        async with engine.begin() as connection:
            before = await connection.scalar(text(seen), {"ago": idle - timedelta(minutes=10)})
        await api.app.state.open_streams.end_unproven()
        async with engine.begin() as connection:
            assert await connection.scalar(text("SELECT seen_at FROM gateway.logins")) == before
            await connection.execute(text(seen), {"ago": idle + timedelta(minutes=1)})
        await api.app.state.open_streams.end_unproven()
        assert b"your login or token has ended" in await rest_of(answer)


async def test_an_open_stream_is_no_use_of_its_token(api, browsers, engine):
    path = EVENTS.format(await api.start())
    ada = await browsers("eve", Role.OPERATOR)
    made = await ada.ask("POST", "/me/tokens", json={"label": "t", "scopes": ["read"]})
    headers = {"Authorization": f"Bearer {made.json()['secret']}", "Cookie": ""}
    async with opened(api.client, path, **headers):
        async with engine.begin() as connection:
            used = "SET last_used_at = now() - interval '1 hour' RETURNING last_used_at"
            before = await connection.scalar(text(f"UPDATE gateway.api_tokens {used}"))
        await api.app.state.open_streams.end_unproven()
        async with engine.begin() as connection:
            assert await connection.scalar(text("SELECT last_used_at FROM gateway.api_tokens")) == before


async def test_an_unreachable_database_ends_no_stream(api, browsers, postgres):
    path = EVENTS.format(await api.start())
    ada = await browsers("eve", Role.OPERATOR)
    async with opened(ada.client, path) as answer:
        await asyncio.to_thread(postgres.stop)
        try:
            await api.app.state.open_streams.end_unproven()
        finally:
            await asyncio.to_thread(postgres.start)
        with pytest.raises(TimeoutError):
            await rest_of(answer, 1)


def test_the_period_is_a_fraction_of_a_minute():
    assert open_streams.RECHECK_SECONDS <= 30
