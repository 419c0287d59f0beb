"""A host that somebody has taken over does no harm to the sessions of others."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from fleet_stage import resize

from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator import labels
from dryrun_orchestrator.engine.errors import ForbiddenError, RejectedError, TransientEngineError
from dryrun_orchestrator.engine.protocol import EngineEvent
from dryrun_orchestrator.hosts import host_care
from dryrun_orchestrator.session import cleaning_up
from dryrun_orchestrator.session.context import MOST_STIRRED, SessionContext


def reporting(session_id, reported):
    """Subscribe at a host that reports one event after another of a session."""

    @asynccontextmanager
    async def events():
        async def stream():
            for number in range(10 * MOST_STIRRED):
                yield EngineEvent("container", "die", f"x{number}", {labels.SESSION_ID: str(session_id)})
            reported.set()
            await asyncio.Event().wait()

        yield stream()

    return events


@pytest.mark.parametrize("call", ["events", "list_containers", "ping"])
async def test_what_nobody_expects_of_one_host_ends_nothing_on_the_others(fleet, monkeypatch, caplog, call):
    monkeypatch.setattr(host_care, "AGAIN_SECONDS", 0.05)
    failed = 0

    def melted(*_):
        nonlocal failed
        failed += 1
        raise AttributeError("melted")

    monkeypatch.setattr(fleet.fleet["c"][0], call, melted)
    fleet.changes = {"reaper_seconds": 0.05}
    async with fleet.running():
        await fleet.eventually(lambda: failed > 1)
        session = await fleet.ended(await fleet.start())
    assert session.outcome is Outcome.COMPLETED
    assert "host c: a task failed; beginning it anew" in caplog.text


async def test_a_host_wakes_no_session_that_does_not_stand_on_it(fleet, monkeypatch):
    resize(fleet, a=(60, 4), b=(0, 4), c=(0, 4))
    stirred, stir = [], SessionContext.stir

    def noted(context, container_id):
        stirred.append(container_id)
        stir(context, container_id)

    async with fleet.running():
        session_id, reported = await fleet.start(keep=True), asyncio.Event()
        await fleet.until(session_id, Phase.KEPT)
        monkeypatch.setattr(SessionContext, "stir", noted)
        hostile = fleet.fleet["c"][0]
        monkeypatch.setattr(hostile, "events", reporting(session_id, reported))
        hostile.cut_streams()
        await reported.wait()
        await fleet.supervisor.stop(session_id)
        await fleet.ended(session_id)
    assert "x1" not in {(each or "").rpartition("/")[2] for each in stirred}


def test_however_many_containers_a_host_reports_few_are_remembered():
    context = SessionContext.__new__(SessionContext)
    context.stirred, context.woken = set(), asyncio.Event()
    for _ in range(MOST_STIRRED):
        context.stir(str(uuid4()))
    assert len(context.stirred) == MOST_STIRRED
    # All are looked at then: the next one may be another host's, which was not to be noticed.
    for _ in range(10 * MOST_STIRRED):
        context.stir(str(uuid4()))
        assert context.stirred is None


@pytest.mark.parametrize(
    "answer",
    [
        TransientEngineError("503: docker-guard: too many requests wait for the engine (rule crowd)"),
        RejectedError("the answer is not an engine's"),
        ForbiddenError("403: docker-guard: this client may not ask (rule client)"),
    ],
    ids=["crowd", "rubbish", "refusal"],
)
async def test_a_host_that_never_lists_what_it_has_holds_no_place_after_the_deadline(
    fleet, monkeypatch, answer
):
    monkeypatch.setattr(cleaning_up, "AFTER_DEADLINE", timedelta())
    fleet.changes = {"session_seconds": 5}
    async with fleet.running():
        session_id = await fleet.start(keep=True)
        await fleet.until(session_id, Phase.KEPT)
        (hostile,) = (each for each, _, _ in fleet.fleet.values() if each.containers)
        hostile.faults.fail("list_containers", answer, times=None)
        await fleet.supervisor.stop(session_id)
        await fleet.until(session_id, Phase.CLEANING_UP)
        assert (await fleet.ended(session_id)).outcome is Outcome.STOPPED
