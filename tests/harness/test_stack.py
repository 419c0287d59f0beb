"""The system that other tests build on: a session completes in it."""

import pytest

from dryrun_contract.session import Outcome

pytestmark = pytest.mark.engine


async def test_a_session_passes_through_the_whole_system(start_stack):
    stack = await start_stack()
    session_id = await stack.start_session()
    await stack.wait_for_phase(session_id, "scanning")
    assert await stack.things_of(session_id) != []

    session = await stack.wait_until_ended(session_id)

    assert session.outcome is Outcome.COMPLETED, session.reason
    numbers = [event.seq for event in await stack.events(session_id)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert await stack.things_of(session_id) == []


async def test_an_orchestrator_that_was_killed_finishes_its_sessions(start_stack):
    stack = await start_stack()
    session_id = await stack.start_session()
    await stack.wait_for_phase(session_id, "waiting", "scanning")

    await stack.orchestrator.kill()
    await stack.orchestrator.start()
    session = await stack.wait_until_ended(session_id)

    assert session.outcome is Outcome.COMPLETED, session.reason
    numbers = [event.seq for event in await stack.events(session_id)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert await stack.things_of(session_id) == []
