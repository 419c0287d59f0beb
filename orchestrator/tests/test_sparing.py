import asyncio

import pytest

from dryrun_orchestrator.api import sparing
from dryrun_orchestrator.api.sparing import Sparing


class Computer:
    """Counts its answers; `failing` makes it fail, after others have had a turn."""

    def __init__(self):
        self.begun = 0
        self.failing = False

    async def compute(self):
        self.begun += 1
        await asyncio.sleep(0.01)
        if self.failing:
            raise RuntimeError("no answer")
        return self.begun


@pytest.fixture
def computer():
    return Computer()


@pytest.fixture
def spared(computer):
    return Sparing(computer.compute)


async def test_callers_who_wait_for_one_computation_share_the_next(spared, computer):
    first = asyncio.create_task(spared.get())
    await asyncio.sleep(0)
    others = [asyncio.create_task(spared.get()) for _ in range(5)]
    assert await first == 1
    assert await asyncio.gather(*others) == [2] * 5
    assert computer.begun == 2


async def test_above_the_rate_the_previous_answer_is_given(spared, computer, monkeypatch):
    monkeypatch.setattr(sparing, "PER_SECOND", 0.0)
    answers = [await spared.get() for _ in range(40)]
    assert answers[-1] == computer.begun == sparing.AT_ONCE + 1


async def test_whoever_waits_while_a_computation_fails_gets_no_answer_from_before_their_call(
    spared, computer
):
    assert await spared.get() == 1
    computer.failing = True
    # The second computation begins after the third call, and would have been an answer to it as well.
    callers = [asyncio.create_task(spared.get()) for _ in range(3)]
    for answer in await asyncio.gather(*callers, return_exceptions=True):
        assert isinstance(answer, RuntimeError)
    computer.failing = False
    assert await spared.get() == computer.begun
