"""What targets receive is counted from before the scan on, or said to be counted in part."""

import pytest
from engine_in_memory.engine import FakeImage
from stage import DB, NETWORK, images

from dryrun_contract.session import Outcome
from dryrun_orchestrator.engine.errors import EngineUnreachableError
from dryrun_orchestrator.session import traffic


@pytest.fixture
def failing(stage, monkeypatch):
    """Return a set of numbers: which readings of the target `db` fail, from 1."""
    read, numbers, readings = stage.engine.read_traffic, set(), []

    async def read_or_fail(container_id):
        if container_id in {container.id for container in stage.of_image(DB)}:
            readings.append(container_id)
            if len(readings) in numbers:
                raise EngineUnreachableError("the connection broke")
        return await read(container_id)

    monkeypatch.setattr(stage.engine, "read_traffic", read_or_fail)
    return numbers


async def at_least(stage):
    """Return of each target of a session whether its traffic is counted in part."""
    async with stage.running():
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
        (measured,) = await stage.events_of(session_id, "traffic_measured")
    return {name: each.at_least for name, each in measured.targets.items()}


async def test_a_target_whose_counters_cannot_be_read_as_the_scan_begins_is_not_left_out(stage, failing):
    failing.add(1)
    assert await at_least(stage) == {"db": False, "web": False}


async def test_counters_that_one_sample_could_not_read_are_whole_after_the_next(stage, failing, monkeypatch):
    monkeypatch.setattr(traffic, "SAMPLING_SECONDS", 0.05)
    stage.engine.images[NETWORK] = FakeImage(log=images()[NETWORK].log, exit_after=0.5)
    failing.add(2)
    assert await at_least(stage) == {"db": False, "web": False}
