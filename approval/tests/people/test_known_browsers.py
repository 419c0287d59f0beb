"""Strangers' tries keep nobody waiting at a browser where they signed in before."""

import pytest
from sqlalchemy import text

from approval_api.identity.roles import Role
from approval_api.people import known_browsers, throttle

PASSWORD = "several words of nobody"


async def run(engine, statement):
    async with engine.begin() as connection:
        return await connection.execute(text(statement))


async def guess(browsers, name, times):
    stranger = await browsers(name)
    return [
        (await stranger.sign_in(f"guess number {number}, a long one")).status_code for number in range(times)
    ]


async def test_strangers_who_use_up_an_accounts_attempts_do_not_delay_its_owner(browsers):
    ada = await browsers("ada", Role.VIEWER)
    await ada.ask("POST", "/logout")
    assert (await guess(browsers, "ada", 8))[-1] == 429
    assert (await (await browsers("ada")).sign_in()).status_code == 429
    assert (await ada.sign_in()).status_code == 200


async def test_strangers_behind_the_same_address_do_not_either(browsers):
    ada = await browsers("ada", Role.VIEWER)
    codes = [code for number in range(24) for code in await guess(browsers, f"name{number}", 1)]
    assert codes[-1] == 429
    assert (await ada.sign_in()).status_code == 200


async def test_a_known_browser_has_as_few_attempts_as_an_account(browsers):
    ada = await browsers("ada", Role.VIEWER)
    codes = [(await ada.sign_in(f"guess number {number}, a long one")).status_code for number in range(7)]
    assert codes == [401] * 5 + [401, 429] or codes == [401] * 5 + [429] * 2
    assert (await (await browsers("ada")).sign_in()).status_code == 200


async def test_a_browser_is_known_to_its_person_only(browsers):
    ada, bob = await browsers("ada", Role.VIEWER), await browsers("bob", Role.VIEWER)
    await guess(browsers, "ada", 8)
    bob.name = "ada"
    assert (await bob.sign_in()).status_code == 429
    assert (await ada.sign_in()).status_code == 200


async def test_a_planted_secret_is_replaced_and_never_becomes_known(browsers, engine):
    ada = await browsers("ada", Role.VIEWER)
    ada.client.cookies.clear()
    ada.client.cookies.set("approval-browser", "planted-by-a-stranger")
    answer = await ada.sign_in()
    set_now = [each for each in answer.headers.get_list("set-cookie") if each.startswith("approval-browser=")]
    assert len(set_now) == 1
    assert "planted" not in set_now[0]


async def test_a_known_browser_proves_nothing_by_itself(browsers):
    ada = await browsers("ada", Role.VIEWER)
    await ada.ask("POST", "/logout")
    assert "approval-browser" in dict(ada.client.cookies)
    assert (await ada.ask("GET", "/me")).status_code == 401


async def test_a_new_password_forgets_other_browsers(browsers):
    here = await browsers("ada", Role.VIEWER)
    there = await browsers("ada")
    await there.sign_in()
    change = {"current": PASSWORD, "new": "another few good words"}
    assert (await here.ask("PUT", "/me/password", json=change)).status_code == 204
    await guess(browsers, "ada", 8)
    assert (await there.sign_in("another few good words")).status_code == 429
    assert (await here.sign_in("another few good words")).status_code == 200


async def test_a_person_has_a_bounded_number_of_known_browsers(browsers, engine, monkeypatch):
    monkeypatch.setattr(known_browsers, "MAX_PER_PERSON", 3)
    await browsers("ada", Role.VIEWER)
    for _ in range(5):
        assert (await (await browsers("ada")).sign_in()).status_code == 200
    assert (await run(engine, "SELECT count(*) FROM gateway.known_browsers")).scalar() == 3


async def test_strangers_attempts_do_not_delay_a_change_of_password(browsers):
    ada = await browsers("ada", Role.VIEWER)
    await guess(browsers, "ada", 8)
    change = {"current": PASSWORD, "new": "another few good words"}
    assert (await ada.ask("PUT", "/me/password", json=change)).status_code == 204


async def test_guessing_the_current_password_in_a_login_is_slowed_down_and_delays_no_sign_in(browsers):
    ada = await browsers("ada", Role.VIEWER)
    change = {"current": "not it, not it, not it", "new": "another few good words"}
    codes = [(await ada.ask("PUT", "/me/password", json=change)).status_code for _ in range(7)]
    assert codes[-1] == 429
    assert (await (await browsers("ada")).sign_in()).status_code == 200


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", True),
        ("2001:db8:1:2::1", "2001:db8:2:2::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("unknown", "unknown", True),
    ],
)
def test_an_ipv6_site_counts_as_one_address(one, other, same):
    assert (throttle.address(one) == throttle.address(other)) == same
