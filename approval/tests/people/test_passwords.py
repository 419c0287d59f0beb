"""Passwords are checked in a thread of their own, and a crowd at the check is bounded."""

import asyncio
import threading
import time

import pytest
from argon2 import PasswordHasher

from approval_api.people.passwords import PasswordRefusedError, Passwords, require_strength
from approval_api.web.problems import ProblemError


async def test_passwords_are_checked_while_every_other_thread_is_taken(monkeypatch):
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    gate = threading.Event()
    loop = asyncio.get_running_loop()
    others = [loop.run_in_executor(None, gate.wait, 20) for _ in range(64)]
    try:
        async with asyncio.timeout(5):
            stored = await passwords.hash("several words of nobody")
            assert await passwords.matches(stored, "several words of nobody", "192.0.2.1")
    finally:
        gate.set()
        await asyncio.gather(*others)
        passwords.close()


async def test_a_crowd_at_the_password_check_gets_503_with_retry_after(monkeypatch):
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    gate = threading.Event()
    monkeypatch.setattr(passwords, "_verify", lambda *_: gate.wait(20))
    stored = await passwords.hash("several words of nobody")
    crowd = [asyncio.create_task(passwords.matches(stored, "x", f"192.0.2.{n}")) for n in range(17)]
    await asyncio.sleep(0.05)
    with pytest.raises(ProblemError) as refused:
        await passwords.matches(stored, "x", "192.0.2.99")
    assert refused.value.problem.status == 503
    assert int(refused.value.headers["Retry-After"]) > 0
    gate.set()
    await asyncio.gather(*crowd)
    passwords.close()


async def test_a_crowd_of_sign_ins_at_one_address_delays_no_other_address(monkeypatch):
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    checked = []

    def verify(_, password):
        time.sleep(0.02)  # as long as several turns of the loop
        checked.append(password)
        return True

    stored = await passwords.hash("several words of nobody")
    assert not await passwords.matches(stored, "x", "192.0.2.1")  # what is computed once
    monkeypatch.setattr(passwords, "_verify", verify)
    crowd = [asyncio.create_task(passwords.matches(stored, "theirs", "192.0.2.1")) for _ in range(40)]
    await asyncio.sleep(0)
    assert await passwords.matches(stored, "mine", "192.0.2.2")
    assert checked.index(b"mine") <= 2
    assert await asyncio.gather(*crowd) == [True] * 40
    passwords.close()


@pytest.mark.parametrize("password", ["ada likes teapots", "Ada-ada-ada-tea-tea", "green teaADA like"])
def test_a_password_of_a_name_and_too_little_beside_it_is_refused_in_these_words(password):
    with pytest.raises(PasswordRefusedError) as refused:
        require_strength(password, "ada")
    said = "the password contains the name, and has fewer than 15 characters beside it; choose several words"
    assert str(refused.value) == said


@pytest.mark.parametrize("password", ["ada drinks only green tea", "several words of nobody"])
def test_a_password_may_contain_a_name_beside_enough_else(password):
    require_strength(password, "ada")
