"""What many want at the same moment is asked for once, and nobody gets what is older than their request."""

import asyncio
from types import SimpleNamespace

import pytest
from guard_stage import on_behalf_of

from docker_guard.engine.asked_once import MOST_KEPT, AskedOnce
from docker_guard.refusal import EngineDownError, Refusal


class _Source:
    """Answers each question with its number, after a moment."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.most_under_way = self._under_way = 0
        self.fails = False
        self.seconds = 0.05
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def ask(self, key: str) -> tuple[str, int]:
        self.asked.append(key)
        number = len(self.asked)
        self._under_way += 1
        self.most_under_way = max(self.most_under_way, self._under_way)
        try:
            await asyncio.sleep(self.seconds)
            await self.may_answer.wait()
        finally:
            self._under_way -= 1
        if self.fails:
            raise EngineDownError("gone")
        return key, number


async def test_one_answer_serves_all_that_came_before_it_was_asked_for():
    source = _Source()
    source.may_answer.clear()
    shared = AskedOnce(source.ask, 60)
    first = asyncio.create_task(shared.of("a"))
    while not source.asked:
        await asyncio.sleep(0)
    # They came while it was asked: what they asked about may have changed after it was looked at.
    later = [asyncio.create_task(shared.of("a")) for _ in range(100)]
    await asyncio.sleep(source.seconds)
    source.may_answer.set()
    assert await first == ("a", 1)
    assert set(await asyncio.gather(*later)) == {("a", 2)}
    assert source.most_under_way == 1
    assert await shared.of("a") == ("a", 3)


async def test_another_key_is_another_question():
    source = _Source()
    shared = AskedOnce(source.ask, 5, keeps_seconds=60)
    assert [await shared.of(key) for key in ("a", "b", "b")] == [("a", 1), ("b", 2), ("b", 2)]


async def test_clients_that_take_turns_for_different_keys_share_the_answers_all_the_same():
    source = _Source()
    shared = AskedOnce(source.ask, 5)

    async def ask(client: str) -> None:
        on_behalf_of(client)
        await shared.of(client)

    await asyncio.gather(*(ask(client) for client in ("a", "b", "c") for _ in range(20)))
    assert sorted(source.asked) == ["a", "a", "b", "c"]


async def test_few_answers_are_kept():
    source = _Source()
    source.seconds = 0
    shared = AskedOnce(source.ask, 5, keeps_seconds=60)
    for number in range(MOST_KEPT + 1):
        await shared.of(str(number))
    assert await shared.of("1") == ("1", 2)
    assert await shared.of("0") == ("0", MOST_KEPT + 2)


async def test_an_answer_serves_later_requests_for_as_long_as_it_is_kept(monkeypatch):
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr("docker_guard.engine.asked_once.time", clock)
    source = _Source()
    shared = AskedOnce(source.ask, 5, keeps_seconds=0.3)
    numbers = []
    for clock.now in (0.0, 0.1, 0.29, 0.31, 0.6):
        numbers.append((await shared.of("a"))[1])
    assert numbers == [1, 1, 1, 2, 2]


async def test_question_that_fails_is_asked_again_for_the_next():
    source = _Source()
    shared = AskedOnce(source.ask, 5, keeps_seconds=60)
    source.fails = True
    with pytest.raises(EngineDownError):
        await shared.of("a")
    source.fails = False
    assert await shared.of("a") == ("a", 2)


async def test_wait_for_a_question_that_hangs_is_refused():
    source = _Source()
    source.seconds = 60
    shared = AskedOnce(source.ask, 0.1)
    first = asyncio.create_task(shared.of("a"))
    await asyncio.sleep(0)
    with pytest.raises(Refusal, match="too many requests wait"):
        await shared.of("a")
    first.cancel()
