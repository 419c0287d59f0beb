"""Whoever fills the password check's places, known browsers sign in, and so does who has not failed yet."""

import asyncio
import itertools
import time
from contextlib import asynccontextmanager, suppress

import pytest

from approval_api.app import create_app
from approval_api.identity.roles import Role
from approval_api.people import password_turns
from approval_api.people.password_turns import PasswordTurns, RecentFailures
from approval_api.people.passwords import Passwords
from approval_api.web.problems import ProblemError

PASSWORD = "several words of nobody"


@pytest.fixture
async def api(settings, orchestrator, serving):
    """The service, which believes whatever address a client states."""
    changed = settings.model_copy(update={"trusted_proxies": "127.0.0.0/8", "requests_per_second": 10_000.0})
    async with serving(create_app(changed, orchestrator_transport=orchestrator)) as api:
        yield api


def slow(passwords: Passwords) -> None:
    """Let each check take as long as it does with a deployment's parameters."""
    verify = passwords._verify

    def slowly(stored, password):
        time.sleep(0.1)
        return verify(stored, password)

    passwords._verify = slowly


@asynccontextmanager
async def guessing(client, addresses):
    """Let 25 strangers guess again and again, each time from the next of `addresses`."""

    numbers = itertools.count()

    async def guess():
        with suppress(asyncio.CancelledError):
            while True:
                # Never one name twice: tries of one account are few.
                body = {"name": f"nobody-{next(numbers)}", "password": "a guess, and a long one"}
                headers = {"X-Forwarded-For": next(addresses)}
                await client.post("/api/v1/login", json=body, headers=headers)
                await asyncio.sleep(0.05)

    tasks = [asyncio.create_task(guess()) for _ in range(25)]
    try:
        await asyncio.sleep(1)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def seconds_of(sign_in):
    began = time.monotonic()
    answer = await sign_in
    return answer.status_code, time.monotonic() - began


def many_sites():
    return itertools.cycle(f"2001:db8:{number:x}::1" for number in range(1, 26))


def one_site():
    return itertools.cycle(f"2001:db8:1:{number:x}::1" for number in range(1, 26))


def a_fresh_site_for_each_guess():
    return (f"2001:db8:{number:x}::1" for number in range(1, 2**16))


@pytest.mark.parametrize("addresses", [many_sites, one_site, a_fresh_site_for_each_guess])
async def test_strangers_in_all_places_keep_neither_known_browsers_nor_newcomers_out(
    api, browsers, addresses
):
    ada = await browsers("ada", Role.VIEWER)
    await ada.ask("POST", "/logout")
    bob = await browsers("bob", Role.VIEWER)
    newcomer = await browsers("bob")
    newcomer.client.headers["X-Forwarded-For"] = "2001:db8:ffff::1"
    slow(api.app.state.passwords)
    async with guessing(api.client, addresses()):
        tries = [await seconds_of(ada.sign_in()) for _ in range(3)]
        assert [status for status, _ in tries] == [200] * 3
        # The middle one: what else the machine does makes one slow, not the crowd.
        assert sorted(seconds for _, seconds in tries)[1] < 2
        change = {"current": PASSWORD, "new": "another few good words"}
        status, seconds = await seconds_of(bob.ask("PUT", "/me/password", json=change))
        assert (status, seconds < 5) == (204, True), (status, seconds)
        if addresses is a_fresh_site_for_each_guess:
            return  # who has not failed yet is no better than these
        status, seconds = await seconds_of(newcomer.sign_in("another few good words"))
        assert (status, seconds < 5) == (200, True), (status, seconds)


async def hold(turns, order, name, **asks):
    async with turns.turn(**asks):
        order.append(name)
        await asyncio.sleep(0)


async def test_the_known_and_strangers_take_turns():
    turns, order = PasswordTurns(), []
    crowd = [hold(turns, order, "s", known=False) for _ in range(5)]
    crowd += [hold(turns, order, "k", known=True) for _ in range(3)]
    await asyncio.gather(*crowd)
    assert order == ["s", "k", "s", "k", "s", "k", "s", "s"]


async def test_a_full_queue_gives_up_who_failed_most():
    turns, order = PasswordTurns(), []
    crowd = [
        asyncio.create_task(hold(turns, order, number, known=False, failures=number))
        for number in range(password_turns.WAITING + 1)
    ]
    await asyncio.sleep(0)
    with pytest.raises(ProblemError):
        await hold(turns, order, "guesses", known=False, failures=password_turns.WAITING)
    await hold(turns, order, "new", known=False, failures=0)
    results = await asyncio.gather(*crowd, return_exceptions=True)
    assert [type(each) for each in results] == [type(None)] * password_turns.WAITING + [ProblemError]
    assert order[:3] == [0, "new", 1]


@pytest.mark.parametrize("granted", [False, True])
async def test_who_hangs_up_keeps_nobody_waiting(granted):
    turns, order = PasswordTurns(), []
    async with turns.turn(known=False):
        leaving = asyncio.create_task(hold(turns, order, "leaves", known=False))
        staying = asyncio.create_task(hold(turns, order, "stays", known=False))
        await asyncio.sleep(0)
        if not granted:
            leaving.cancel()
    leaving.cancel()
    async with asyncio.timeout(1):
        await asyncio.gather(leaving, staying, return_exceptions=True)
        await hold(turns, order, "next", known=True)
    assert order == ["stays", "next"]


def test_failures_are_forgotten_and_bounded(monkeypatch):
    failures = RecentFailures()
    for number in range(password_turns._MOST_REMEMBERED + 50):
        failures.add(f"site {number}")
    assert len(failures._failures) == password_turns._MOST_REMEMBERED
    failures.add("a")
    failures.add("a")
    assert failures.of("a") == 2
    monkeypatch.setattr(password_turns, "_REMEMBERED_SECONDS", 0.0)
    assert failures.of("a") == 0
