"""A schedule ends with the token that set it up, unless somebody keeps it."""

from uuid import UUID

from made_schedules import WANTED, fired, move_clock, show, states
from sqlalchemy import text

from approval_api.identity.roles import Role
from approval_api.schedules import repository


async def test_a_schedule_ends_with_the_token_that_made_or_resumed_it(api, browsers, eventually, scanned):
    grace = await browsers("grace", Role.OPERATOR)
    given = {"label": "x", "scopes": ["read", "run"]}
    first, second = [(await grace.ask("POST", "/me/tokens", json=given)).json() for _ in range(2)]
    by_first, by_second = [{"Authorization": f"Bearer {each['secret']}"} for each in (first, second)]
    made = (await api.post("/schedules", json=WANTED, headers=by_first)).json()
    assert made["token_ends_at"] == first["token"]["expires_at"]
    page = (await api.client.get(f"/dryrun/schedules/{made['id']}")).text
    assert "ways to scan: as installed" in page
    assert "until the token that made or resumed it ends" in page

    async def paused():
        return (await show(api, made["id"]))["paused_because"]

    for headers, token in ((None, first), (by_second, second)):
        if headers:
            resumed = (await api.post(f"/schedules/{made['id']}/resume", headers=headers)).json()
            assert resumed["token_ends_at"] == token["token"]["expires_at"]
        await grace.ask("DELETE", f"/me/tokens/{token['token']['id']}")
        assert "token that made or resumed it has ended" in await eventually(paused)

    resumed = (await grace.ask("POST", f"/dryrun/schedules/{made['id']}/resume")).json()
    assert (resumed["token_ends_at"], resumed["paused_because"]) == (None, None)
    scanned()
    await move_clock(api, made["id"])
    assert states(await fired(api, made["id"], 1, eventually)) == ["started"]


async def test_a_schedule_ends_with_an_expired_token(api, browsers, eventually):
    grace = await browsers("grace", Role.OPERATOR)
    made = (await grace.ask("POST", "/me/tokens", json={"label": "x", "scopes": ["run"]})).json()
    token = {"Authorization": f"Bearer {made['secret']}"}
    form = {"cron": "30 2 * * *", "name": "nightly", "templates": "small"}
    answer = await api.client.post("/dryrun/schedules", data=form, headers=token)
    schedule = answer.headers["Location"].rpartition("/")[2]
    async with api.app.state.engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.api_tokens SET expires_at = now()"))

    async def paused():
        return (await show(api, schedule))["paused_because"]

    assert "token that made or resumed it has ended" in await eventually(paused)


async def test_a_schedule_of_a_token_is_kept_in_a_browser(api, browsers):
    grace = await browsers("grace", Role.OPERATOR)
    made = (await grace.ask("POST", "/me/tokens", json={"label": "x", "scopes": ["run"]})).json()
    token = {"Authorization": f"Bearer {made['secret']}"}
    schedule = (await api.post("/schedules", json=WANTED, headers=token)).json()
    assert "Keep without the token" in (await api.client.get(f"/dryrun/schedules/{schedule['id']}")).text
    kept = (await grace.ask("POST", f"/dryrun/schedules/{schedule['id']}/resume")).json()
    assert (kept["token_ends_at"], kept["next_at"]) == (None, schedule["next_at"])
    assert "Keep without" not in (await api.client.get(f"/dryrun/schedules/{schedule['id']}")).text
    await grace.ask("DELETE", f"/me/tokens/{made['token']['id']}")
    await api.app.state.schedules.work_once()
    assert (await show(api, schedule["id"]))["paused_because"] is None


async def test_when_a_removed_token_ended_stays_the_same(api, browsers, eventually):
    grace = await browsers("grace", Role.OPERATOR)
    made = (await grace.ask("POST", "/me/tokens", json={"label": "x", "scopes": ["run"]})).json()
    token = {"Authorization": f"Bearer {made['secret']}"}
    schedule = (await api.post("/schedules", json=WANTED, headers=token)).json()["id"]
    await grace.ask("DELETE", f"/me/tokens/{made['token']['id']}")

    async def paused():
        return (await show(api, schedule))["paused_because"]

    await eventually(paused)
    first, second = [(await show(api, schedule))["token_ends_at"] for _ in range(2)]
    assert first == second
    assert "until the token" not in (await api.client.get(f"/dryrun/schedules/{schedule}")).text


async def test_a_schedule_that_is_kept_meanwhile_is_not_paused(api, browsers):
    grace = await browsers("grace", Role.OPERATOR)
    made = (await grace.ask("POST", "/me/tokens", json={"label": "x", "scopes": ["run"]})).json()
    token = {"Authorization": f"Bearer {made['secret']}"}
    schedule = (await api.post("/schedules", json=WANTED, headers=token)).json()["id"]
    await grace.ask("POST", f"/dryrun/schedules/{schedule}/resume")
    async with api.app.state.engine.begin() as connection:
        ended = UUID(made["token"]["id"])
        assert not await repository.pause(connection, UUID(schedule), "ended", ended_token=ended)
    assert (await show(api, schedule))["paused_because"] is None


async def test_a_token_takes_over_no_schedule_that_runs(api, browsers):
    grace, bob = await browsers("grace", Role.OPERATOR), await browsers("bob", Role.OPERATOR)
    schedule = (await grace.ask("POST", "/dryrun/schedules", json=WANTED)).json()["id"]
    made = (await bob.ask("POST", "/me/tokens", json={"label": "x", "scopes": ["run"]})).json()
    token = {"Authorization": f"Bearer {made['secret']}"}
    assert (await api.post(f"/schedules/{schedule}/resume", headers=token)).status_code == 202
    # Otherwise removing the stolen token would end what nobody meant to end.
    assert (await show(api, schedule))["token_ends_at"] is None


async def test_a_schedule_ends_with_the_rights_of_whose_token_resumed_it(api, browsers, engine, eventually):
    grace, bob = await browsers("grace", Role.OPERATOR), await browsers("bob", Role.OPERATOR)
    schedule = (await grace.ask("POST", "/dryrun/schedules", json=WANTED)).json()["id"]
    made = (await bob.ask("POST", "/me/tokens", json={"label": "x", "scopes": ["run"]})).json()
    token = {"Authorization": f"Bearer {made['secret']}"}
    for command in ("pause", "resume"):
        await api.post(f"/schedules/{schedule}/{command}", headers=token)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE gateway.people SET active = false WHERE name = 'bob'"))
    await move_clock(api, schedule)

    async def paused():
        return (await show(api, schedule))["paused_because"]

    assert await eventually(paused) == "bob may not start sessions any more"
