"""An event that cannot be stored costs its session the result, and nobody else anything."""

import asyncio
from uuid import uuid4

import pytest
from followed import queued, reported, rows, stored, stored_numbers

from dryrun_contract.event import (
    PhaseChanged,
)
from dryrun_contract.session import Phase


def raw(orchestrator, session, data):
    """Emit an event that the contract does not know: its data is passed on unchanged."""
    event = orchestrator.tell(session, PhaseChanged(phase=Phase.SCANNING))
    text = event.model_dump_json()
    orchestrator.raw[event.seq] = text[: text.index('"data":')] + f'"data":{data}}}'


def discovery_data(line, data, key="10.213.0.9"):
    return (
        f'{{"type":"discovery_reported","collector":"network","run":"1","line":{line},"discovery":'
        f'{{"kind":"host","key":"{key}","data":{data},"confidence":1.0}}}}'
    )


DEEP = "[" * 40 + "]" * 40
MANY = "[" + "[]," * 310_000 + "[]]"
BAD_EVENTS = {
    "unknown type": ('{"type":"phase_of_the_moon","phase":"full"}', "phase_of_the_moon", "data"),
    "unknown field": ('{"type":"phase_changed","phase":"scanning","x":1}', "phase_changed", "data"),
    "too many values": (
        discovery_data(1, '{"a":[' + "[]," * 310_000 + "[]]}"),
        "discovery_reported",
        "values",
    ),
    "too large": (discovery_data(1, '{"a":"' + "x" * 2_000_000 + '"}'), "discovery_reported", "longer than"),
    "too deep": (discovery_data(1, f'{{"a":{DEEP}}}'), "discovery_reported", "nested deeper"),
    "long key": (discovery_data(1, '{"' + "k" * 5000 + '":1}'), "discovery_reported", "object key"),
    "deep key": (
        discovery_data(1, "{}", "10.0.0.3:80/tcp" + "/a" * 17),
        "discovery_reported",
        "16 are the most",
    ),
    "beyond the database's integers": (discovery_data(2**40, "{}"), "discovery_reported", "stored"),
    "endless number": (discovery_data(1, '{"a":' + "1" * 5000 + "}"), "discovery_reported", "number"),
    "not JSON": ('{"type":"phase_changed",', "phase_changed", "JSON"),
}


@pytest.mark.parametrize("bad", BAD_EVENTS)
async def test_a_bad_event_is_stored_as_refused_and_affects_no_other_session(
    follower, engine, orchestrator, metrics, eventually, bad
):
    data, claimed, reason = BAD_EVENTS[bad]
    session, other = uuid4(), uuid4()
    queued(orchestrator, session)
    queued(orchestrator, other)
    for line in range(1, 30):
        reported(orchestrator, other, line, key=f"10.213.0.{line}")
    raw(orchestrator, session, data)
    for line in range(30, 60):
        reported(orchestrator, other, line, key=f"10.213.0.{line}")
    running = asyncio.create_task(follower.run())

    async def arrived():
        return len(await stored_numbers(engine)) == 62

    await eventually(arrived)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    refused = [(seq, each) for seq, kind, each in await stored(engine) if kind == "event_refused"]
    (seq, word), *more = refused
    assert (seq, more) == (32, [])
    assert word["claimed_type"] == claimed
    assert reason in word["reason"]
    assert word["size"] >= min(len(data), 1_000_000)
    found = await rows(engine, "SELECT line FROM gateway.dryrun_discoveries ORDER BY line")
    assert [row["line"] for row in found] == list(range(1, 60))
    complete = await rows(engine, "SELECT id, history_complete FROM gateway.dryrun_sessions")
    assert {row["id"]: row["history_complete"] for row in complete} == {session: False, other: True}
    assert metrics.refused_events._value.get() == 1


async def test_a_session_whose_last_event_is_refused_has_ended(follower, engine, orchestrator, eventually):
    session = uuid4()
    queued(orchestrator, session)
    raw(orchestrator, session, '{"type":"session_ended","outcome":"splendid"}')
    running = asyncio.create_task(follower.run())

    async def arrived():
        return await stored_numbers(engine) == [1, 2]

    await eventually(arrived)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    (row,) = await rows(engine, "SELECT phase, outcome, reason FROM gateway.dryrun_sessions")
    assert (row["phase"], row["outcome"]) == ("ended", "failed")
    assert "could not be stored" in row["reason"]


async def test_an_unreadable_event_is_skipped(follower, engine, orchestrator, eventually):
    session = uuid4()
    queued(orchestrator, session)
    event = orchestrator.tell(session, PhaseChanged(phase=Phase.SCANNING))
    orchestrator.raw[event.seq] = "[[["
    reported(orchestrator, session, 1)
    running = asyncio.create_task(follower.run())

    async def arrived():
        return await stored_numbers(engine) == [1, 3]

    await eventually(arrived)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    (row,) = await rows(engine, "SELECT history_complete FROM gateway.dryrun_sessions")
    assert not row["history_complete"]
