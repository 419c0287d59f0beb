"""The system that other tests build on: a session completes in it, traced or not."""

import asyncio
import json
from itertools import pairwise
from uuid import UUID

import pytest
from local_stack import Stack
from otlp_receiver import Receiver, receiving

from dryrun_contract.session import Outcome

pytestmark = [pytest.mark.engine, pytest.mark.long(50)]

REMOVAL = "phase cleaning_up"


@pytest.fixture
async def receiver():
    async with receiving() as receiver:
        yield receiver


def exporting_to(receiver: Receiver) -> dict[str, str]:
    return {f"{service}_OTLP_ENDPOINT": receiver.url for service in ("APPROVAL", "ORCHESTRATOR")}


async def test_a_session_passes_through_while_the_collector_of_its_traces_hangs(start_stack, receiver, quick):
    receiver.mode = "hang"
    stack = await start_stack(**exporting_to(receiver), **quick)
    session_id = await stack.start_session("quick")
    await stack.wait_for_phase(session_id, "scanning")
    assert await stack.things_of(session_id) != []

    session = await stack.wait_until_ended(session_id)

    assert session.outcome is Outcome.COMPLETED, session.reason
    numbers = [event.seq for event in await stack.events(session_id)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert await stack.things_of(session_id) == []
    assert receiver.requests, "nothing was exported"
    phases = [event for event in await stack.events(session_id) if event.data.type == "phase_changed"]
    took = {before.data.phase: (after.at - before.at).total_seconds() for before, after in pairwise(phases)}
    assert took["cleaning_up"] < 5, took


async def test_an_orchestrator_that_was_killed_finishes_its_sessions_in_their_trace(
    start_stack, receiver, quick
):
    stack = await start_stack(**exporting_to(receiver), **quick)
    session_id = await stack.start_session("quick")
    await stack.wait_for_phase(session_id, "scanning")
    # What a killed process has not sent is lost; its spans are sent every second, and a scan takes longer.
    await arrived(receiver, session_id, "phase waiting")

    await stack.orchestrator.kill()
    await stack.orchestrator.start()
    session = await stack.wait_until_ended(session_id)

    assert session.outcome is Outcome.COMPLETED, session.reason
    numbers = [event.seq for event in await stack.events(session_id)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert await stack.things_of(session_id) == []
    await is_one_trace(stack, receiver, session_id)


async def arrived(receiver: Receiver, session_id: UUID, name: str) -> None:
    async with asyncio.timeout(15):
        while name not in {span.name for span in receiver.of_trace(session_id.hex)}:
            await asyncio.sleep(0.1)


async def is_one_trace(stack: Stack, receiver: Receiver, session_id: UUID) -> None:
    """Check what arrived: from the click over the phases to the removal, and each call of the guard."""
    await arrived(receiver, session_id, "session")
    spans = receiver.of_trace(session_id.hex)
    named = {span.name: span for span in spans}
    by_id = {span.id: span for span in spans}
    (root,) = [span for span in spans if not span.parent]
    assert (root.service, root.name) == ("approval-api", "session requested")
    assert all(span.parent in by_id for span in spans if span is not root), "a span without its parent"
    asked = by_id[named["session"].parent]
    assert (asked.service, asked.name, asked.parent) == ("approval-api", "PUT /sessions/{id}", root.id)
    phases = ["phase queued", "phase provisioning", "phase waiting", "phase scanning", REMOVAL]
    assert [span.name for span in sorted(spans, key=lambda each: each.begin) if span.name in phases] == phases
    for phase in (named[name] for name in phases):
        assert (phase.service, phase.parent) == ("dryrun-orchestrator", named["session"].id)
        assert phase.attributes["dryrun.session.id"] == str(session_id)
    assert named["session"].attributes["dryrun.session.outcome"] == "completed"
    calls = {span.id: span for span in spans if span.attributes.get("peer.service") == "docker-guard"}
    removals = [span for span in calls.values() if span.name == "DELETE /networks/{id}"]
    assert REMOVAL in {by_id[span.parent].name for span in removals}
    # What the guard wrote of a call has its trace and span.
    log = (stack.installation.logs / "guard.log").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in log.splitlines() if session_id.hex in line]
    known = {line["span_id"]: line for line in lines if line.get("trace_id") == session_id.hex}
    assert set(calls) <= set(known), "a call that the guard does not know of"
    assert {known[each]["method"] for each in calls} == {"POST", "DELETE"}
