"""Cookies: how one is got, what it is worth, when it ends."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from approval_api.identity.roles import Role
from approval_api.people import bootstrap, invitations

PASSWORD = "several words of nobody"


async def run(engine, statement, **values):
    async with engine.begin() as connection:
        return await connection.execute(text(statement), values)


def show(browser, cookies):
    """Let a browser show cookies that it was ordered to delete."""
    browser.client.cookies.clear()
    browser.client.headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())


def set_cookies(answer, name):
    """Return each Set-Cookie of this name."""
    return [each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{name}=")]


async def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_do_not_get(browsers):
    ada = await browsers("ada", Role.VIEWER)
    ada.client.cookies.clear()
    answer = await ada.sign_in()
    (cookie,) = set_cookies(answer, "approval")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert attributes == {"path=/", "httponly", "samesite=lax"}
    assert (await ada.ask("GET", "/me")).json()["name"] == "ada"


async def test_behind_https_the_cookie_is_secure_and_bound_to_the_host(api, browsers):
    ada = await browsers("ada", Role.VIEWER)
    api.app.state.settings = api.app.state.settings.model_validate(
        api.app.state.settings.model_dump() | {"public_url": "https://approval.example"}
    )
    answer = await ada.sign_in()
    for name in ("__Host-approval", "__Host-approval-browser"):
        (cookie,) = set_cookies(answer, name)
        assert "Secure" in cookie


async def test_each_sign_in_makes_a_new_login_and_ends_the_one_before(browsers, engine):
    ada = await browsers("ada", Role.VIEWER)
    before = dict(ada.client.cookies)
    await ada.sign_in()
    after = dict(ada.client.cookies)
    assert before.keys() == after.keys()
    assert before != after
    assert (await run(engine, "SELECT count(*) FROM gateway.logins")).scalar() == 1
    show(ada, before)
    assert (await ada.ask("GET", "/me")).status_code == 401


async def test_the_database_holds_nothing_that_could_be_shown_as_a_cookie(browsers, engine):
    ada = await browsers("ada", Role.VIEWER)
    cookies = dict(ada.client.cookies)
    assert cookies.keys() == {"approval", "approval-browser"}
    for table in ("logins", "known_browsers"):
        rows = (await run(engine, f"SELECT * FROM gateway.{table}")).all()
        for cookie in cookies.values():
            assert cookie not in repr(rows)
            assert cookie.encode() not in repr(rows).encode()


async def test_an_unknown_name_is_answered_like_a_wrong_password(browsers):
    await browsers("ada", Role.VIEWER)
    answers = []
    for name in ("ada", "nobody"):
        stranger = await browsers(name)
        answer = await stranger.sign_in("not the right password")
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        answers.append({k: v for k, v in answer.json().items() if k != "request_id"})
    assert answers[0] == answers[1]


async def test_an_unknown_name_takes_the_same_work(api, browsers, monkeypatch):
    worked = []
    passwords = api.app.state.passwords
    stranger = await browsers("nobody")
    passwords = api.app.state.passwords
    verify = passwords._verify
    monkeypatch.setattr(passwords, "_verify", lambda *given: worked.append(1) or verify(*given))
    await stranger.sign_in("not the right password")
    assert worked == [1]


async def test_signing_out_ends_the_login_not_only_the_cookie(browsers):
    ada = await browsers("ada", Role.VIEWER)
    kept = dict(ada.client.cookies)
    assert (await ada.ask("POST", "/logout")).status_code == 204
    assert dict(ada.client.cookies).keys() == {"approval-browser"}
    show(ada, kept)
    assert (await ada.ask("GET", "/me")).status_code == 401


@pytest.mark.parametrize(("column", "hours"), [("seen_at", 8), ("created_at", 24)])
async def test_a_login_expires_unused_and_in_any_case(browsers, engine, column, hours):
    ada = await browsers("ada", Role.VIEWER)
    statement = f"UPDATE gateway.logins SET {column} = now() - CAST(:age AS interval)"
    await run(engine, statement, age=timedelta(hours=hours, minutes=-5))
    assert (await ada.ask("GET", "/me")).status_code == 200
    await run(engine, statement, age=timedelta(hours=hours, minutes=5))
    assert (await ada.ask("GET", "/me")).status_code == 401


async def test_a_login_in_use_does_not_count_as_idle(browsers, engine):
    ada = await browsers("ada", Role.VIEWER)
    await run(engine, "UPDATE gateway.logins SET seen_at = now() - interval '7 hours'")
    await ada.ask("GET", "/me")
    age = (await run(engine, "SELECT now() - seen_at FROM gateway.logins")).scalar()
    assert age < timedelta(minutes=1)


async def test_deactivating_a_person_ends_their_logins_at_once(browsers, engine):
    ada = await browsers("ada", Role.VIEWER)
    await run(engine, "UPDATE gateway.people SET active = false")
    assert (await ada.ask("GET", "/me")).status_code == 401
    assert (await ada.sign_in()).status_code == 401


async def test_guessing_an_account_is_slowed_down_even_with_the_right_password_at_last(browsers, engine):
    await browsers("ada", Role.VIEWER)
    guesser = await browsers("ada")
    answers = [await guesser.sign_in(f"guess number {number}, a long one") for number in range(6)]
    assert {answer.status_code for answer in answers[:5]} == {401}
    refused = await guesser.sign_in()
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    await run(engine, "UPDATE gateway.login_throttle SET failed_at = failed_at - interval '10 minutes'")
    assert (await guesser.sign_in()).status_code == 200


async def test_nobody_waits_for_a_time_that_a_clock_was_set_back_from(browsers, engine):
    await browsers("ada", Role.VIEWER)
    forgetful = await browsers("ada")
    assert (await forgetful.sign_in("not the password, but long")).status_code == 401
    await run(engine, "UPDATE gateway.login_throttle SET failed_at = failed_at + interval '3 hours'")
    assert (await forgetful.sign_in()).status_code == 200


async def test_guesses_are_slowed_down_all_the_same_after_a_clock_was_set_back(browsers, engine):
    await browsers("ada", Role.VIEWER)
    guesser = await browsers("ada")
    for number in range(4):
        await guesser.sign_in(f"guess number {number}, a long one")
    await run(engine, "UPDATE gateway.login_throttle SET failed_at = failed_at + interval '3 hours'")
    answers = [await guesser.sign_in(f"guess number {number}, a long one") for number in range(4, 8)]
    assert [answer.status_code for answer in answers].count(429) >= 2


@pytest.mark.whole_pool
async def test_concurrent_guesses_do_not_get_around_the_limit(browsers):
    await browsers("ada", Role.VIEWER)
    guesser = await browsers("ada")
    answers = await asyncio.gather(*(guesser.sign_in(f"guess number {number}") for number in range(20)))
    assert sum(answer.status_code == 401 for answer in answers) <= 6


async def test_an_address_is_slowed_down_across_all_names(browsers):
    codes = []
    for number in range(24):
        stranger = await browsers(f"name{number}")
        codes.append((await stranger.sign_in("whatever it may be")).status_code)
    assert codes.count(401) in range(20, 23)
    assert codes[-1] == 429


async def test_failed_sign_ins_are_logged_without_the_typed_name(browsers, engine):
    await browsers("ada", Role.VIEWER)
    for name in ("ada", "my secret password"):
        await (await browsers(name)).sign_in("wrong, wrong, wrong")
    rows = (await run(engine, "SELECT object FROM gateway.audit_log WHERE outcome = 'refused'")).scalars()
    assert list(rows) == ["ada", "an unknown name"]


async def test_changing_the_password_ends_other_logins_and_needs_the_old_one(browsers):
    here = await browsers("ada", Role.VIEWER)
    there = await browsers("ada")
    await there.sign_in()
    change = {"current": "not it, not it, not it", "new": "another few good words"}
    assert (await here.ask("PUT", "/me/password", json=change)).status_code == 403
    weak = {"current": PASSWORD, "new": "short"}
    assert (await here.ask("PUT", "/me/password", json=weak)).status_code == 422
    assert (await here.ask("PUT", "/me/password", json=change | {"current": PASSWORD})).status_code == 204
    assert (await here.ask("GET", "/me")).status_code == 200
    assert (await there.ask("GET", "/me")).status_code == 401
    assert (await there.sign_in()).status_code == 401
    assert (await there.sign_in("another few good words")).status_code == 200


@pytest.mark.parametrize(
    "change", ["password_hash = 'another'", "active = false"], ids=["password", "deactivated"]
)
async def test_a_sign_in_overtaken_by_a_password_change_fails(api, browsers, engine, change):
    ada = await browsers("ada", Role.VIEWER)
    passwords = api.app.state.passwords

    class Overtaken:
        async def matches(self, stored, password, network, **known):
            right = await passwords.matches(stored, password, network, **known)
            await run(engine, f"UPDATE gateway.people SET {change}")
            await run(engine, "DELETE FROM gateway.logins")
            return right

        def is_outdated(self, _):
            return False

    api.app.state.passwords = Overtaken()
    ada.client.cookies.clear()
    assert (await ada.sign_in()).status_code == 401
    api.app.state.passwords = passwords
    assert (await run(engine, "SELECT count(*) FROM gateway.logins")).scalar() == 0
    refused = await run(engine, "SELECT object FROM gateway.audit_log WHERE outcome = 'refused'")
    assert list(refused.scalars()) == ["ada"]


class Together:
    """Verifies passwords, and lets a number of those that are right go on at the same moment."""

    def __init__(self, passwords, parties, outdated=""):
        self.passwords, self.outdated, self.barrier = passwords, outdated, asyncio.Barrier(parties)

    async def matches(self, *which, **known):
        return await self.passwords.matches(*which, **known)

    async def hash(self, *which):
        made = await self.passwords.hash(*which)
        await self.barrier.wait()
        return made

    def is_outdated(self, stored):
        return stored == self.outdated


@pytest.mark.whole_pool
async def test_of_two_password_changes_at_the_same_moment_one_counts(api, browsers):
    """Whoever knows the earlier password does not undo a change that was made because of that."""
    ada, thief = await browsers("ada", Role.VIEWER), await browsers("ada")
    assert (await thief.sign_in()).status_code == 200
    passwords, api.app.state.passwords = api.app.state.passwords, Together(api.app.state.passwords, 2)
    new = {ada: "another few good words", thief: "yet another few words"}
    answers = await asyncio.gather(
        *(each.ask("PUT", "/me/password", json={"current": PASSWORD, "new": new[each]}) for each in new)
    )
    assert sorted(answer.status_code for answer in answers) == [204, 403]
    api.app.state.passwords = passwords
    stored, refused = sorted(zip(answers, new.values(), strict=True), key=lambda each: each[0].status_code)
    assert refused[0].json()["type"].endswith("wrong-credentials")
    someone = await browsers("ada")
    assert (await someone.sign_in(refused[1])).status_code == 401
    assert (await someone.sign_in(stored[1])).status_code == 200


@pytest.mark.whole_pool
async def test_sign_ins_at_the_same_moment_renew_an_outdated_hash_together(api, browsers, engine):
    await browsers("ada", Role.VIEWER)
    outdated = (await run(engine, "SELECT password_hash FROM gateway.people")).scalar_one()
    api.app.state.passwords = Together(api.app.state.passwords, 3, outdated)
    several = [await browsers("ada") for _ in range(3)]
    answers = await asyncio.gather(*(each.sign_in() for each in several))
    assert [answer.status_code for answer in answers] == [200] * 3
    assert (await run(engine, "SELECT password_hash FROM gateway.people")).scalar_one() != outdated


async def test_a_sign_in_that_renews_an_outdated_hash_is_overtaken_by_a_password_change(
    api, browsers, engine
):
    ada = await browsers("ada", Role.VIEWER)
    outdated = (await run(engine, "SELECT password_hash FROM gateway.people")).scalar_one()
    changed = await api.app.state.passwords.hash("another few good words", "ada")

    class Overtaken(Together):
        async def hash(self, *which):
            await run(engine, "UPDATE gateway.people SET password_hash = :changed", changed=changed)
            return await self.passwords.hash(*which)

    api.app.state.passwords = Overtaken(api.app.state.passwords, 1, outdated)
    assert (await ada.sign_in()).status_code == 401
    assert (await run(engine, "SELECT password_hash FROM gateway.people")).scalar_one() == changed


async def test_an_invitation_taken_while_its_person_is_deactivated_begins_no_login(
    api, browsers, engine, monkeypatch
):
    """It would count again once somebody activates them."""
    async with engine.begin() as connection:
        path = await bootstrap.invite(connection, "ada", [Role.VIEWER], only_first=False)
    take = invitations.take
    deactivating = []

    async def taken_slowly(*which):
        account = await take(*which)

        async def deactivate():
            await run(engine, "UPDATE gateway.people SET active = false")
            await run(engine, "DELETE FROM gateway.logins")

        deactivating.append(asyncio.create_task(deactivate()))
        await asyncio.sleep(0.3)
        return account

    monkeypatch.setattr(invitations, "take", taken_slowly)
    body = {"secret": path.partition("=")[2], "password": PASSWORD}
    await (await browsers("ada")).ask("POST", "/invitations/taken", json=body)
    await asyncio.gather(*deactivating)
    assert (await run(engine, "SELECT count(*) FROM gateway.logins")).scalar() == 0
