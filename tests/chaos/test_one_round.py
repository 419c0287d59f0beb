"""What a round counts as made, and what as a breach."""

from uuid import uuid4

import one_round
import pytest
from faults import BrokenPromiseError, Fault, NothingToBreakError
from invariants import FALSE_REASONS, REMOVED, _wrong_end
from one_round import play


class World:
    def __init__(self):
        self.asked = {}

    async def start_session(self, template):
        return uuid4()

    async def until_well(self):
        pass


@pytest.fixture
def quick(monkeypatch):
    async def until_ended(world, sessions):
        return {each: {"outcome": "completed", "reason": None} for each in sessions}

    async def breaches(*_, **__):
        return []

    async def nothing(*_, **__):
        return []

    monkeypatch.setattr(one_round, "SPREAD_SECONDS", 0)
    for name in ("begin_experiment", "until_done", "left_of_nobody"):
        monkeypatch.setattr(one_round, name, nothing)
    monkeypatch.setattr(one_round, "experiment_breaches", lambda *_: [])
    monkeypatch.setattr(one_round, "until_ended", until_ended)
    monkeypatch.setattr(one_round, "breaches", breaches)


async def test_what_a_fault_saw_broken_is_a_breach_and_what_it_could_not_break_is_nothing(quick):
    async def breaks(world, chance):
        raise BrokenPromiseError("two orchestrators ran")

    async def finds_nothing(world, chance):
        raise NothingToBreakError("nothing stood")

    async def asks(world, chance):
        world.asked[uuid4()] = "quick"

    known = [Fault("broken", breaks), Fault("nothing", finds_nothing), Fault("asking", asks)]
    played = await play(World(), 1, 1, known, 3)
    assert set(played.made) == {"broken", "asking"}
    assert played.unmade == {"nothing": "nothing stood"}
    assert played.breaches == ["broken: two orchestrators ran"]
    assert len(played.outcomes) == 3


@pytest.mark.parametrize(
    "reason",
    [
        "the network is not isolated from the host: it answers",
        "cache: its container was removed by somebody else",
    ],
)
def test_a_reason_that_no_fault_can_give_is_a_breach(reason):
    ended = {"outcome": "failed", "reason": reason}
    assert list(_wrong_end(uuid4(), ended, (*FALSE_REASONS, REMOVED)))
    true = ended | {"reason": "host b is lost: it has not answered for 60 s"}
    assert not list(_wrong_end(uuid4(), true, (*FALSE_REASONS, REMOVED)))
