"""What a campaign judges while a swarm has no leader."""

from types import SimpleNamespace
from uuid import uuid4

import fleet_faults
import pytest
from faults import BrokenPromiseError
from fleet_faults import _sessions_wait

LOST = "ok on one host; across hosts sessions wait: a: this engine's swarm has no leader"


class World:
    """Its orchestrator has a new process id whenever it is looked at, if it is restless."""

    def __init__(self, said, phase, *, restless=False):
        self.said, self.phase, self.restless = said, phase, restless
        self.asked = {}
        self.stack = SimpleNamespace(orchestrator=self)
        self.is_running, self.lives = True, 1

    @property
    def pid(self):
        self.lives += self.restless
        return self.lives

    async def checks(self):
        return {"overlay": self.said}

    async def start_session(self, template):
        return uuid4()

    async def session(self, session_id):
        return {"phase": self.phase}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    async def no_time(_):
        pass

    monkeypatch.setattr(fleet_faults, "SAID_SECONDS", 0)
    monkeypatch.setattr(fleet_faults.asyncio, "sleep", no_time)


CHANCE = SimpleNamespace(uniform=lambda least, most: 0)


async def test_readiness_has_to_say_that_sessions_wait():
    with pytest.raises(BrokenPromiseError, match="readiness says: ok, plain"):
        await _sessions_wait(World("ok, plain between hosts", "queued"), CHANCE)


async def test_a_session_that_is_asked_for_meanwhile_has_to_wait_and_is_the_rounds():
    world = World(LOST, "queued")
    await _sessions_wait(world, CHANCE)
    assert list(world.asked.values()) == ["spread"]
    for phase in ("provisioning", "scanning", "ended"):
        with pytest.raises(BrokenPromiseError, match=f"a session across hosts is {phase}"):
            await _sessions_wait(World(LOST, phase), CHANCE)


async def test_an_orchestrator_that_was_started_again_may_try_and_gets_nowhere():
    for phase in ("requested", "provisioning"):
        await _sessions_wait(World(LOST, phase, restless=True), CHANCE)
    with pytest.raises(BrokenPromiseError, match="is waiting"):
        await _sessions_wait(World(LOST, "waiting", restless=True), CHANCE)
