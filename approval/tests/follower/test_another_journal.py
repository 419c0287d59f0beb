"""A position that the orchestrator's journal does not have, and a journal that was replaced."""

from uuid import uuid4

import pytest
from followed import position, queued, rows, session_in, stored_numbers
from sqlalchemy import text

from approval_api.follower import position as positions
from approval_api.follower.follower import GapError
from approval_api.orchestrator.client import Position
from dryrun_contract.event import EventPage, PhaseChanged, SessionEnded
from dryrun_contract.session import Outcome, Phase


async def test_a_frozen_follower_with_an_old_snapshot_changes_nothing(follower, engine, orchestrator):
    async with engine.connect() as connection:
        known = await positions.load(connection)
    snapshot = await follower._source.events(Position(uuid4(), 7), wait=False)
    queued(orchestrator, uuid4())
    await follower.follow_once()
    assert not await follower.store_snapshot(known, snapshot)
    assert await position(engine) == Position(orchestrator.journal, 1)


async def test_another_journal_without_a_snapshot_is_refused(follower, orchestrator):
    with pytest.raises(GapError, match="journal"):
        await follower.store_page(Position(uuid4(), 0), EventPage(journal=orchestrator.journal, events=()))


async def test_a_position_that_is_gone_is_replaced_by_the_snapshot(follower, engine, orchestrator):
    session = uuid4()
    queued(orchestrator, session)
    await follower.follow_once()
    for _ in range(4):
        orchestrator.tell(session, PhaseChanged(phase=Phase.SCANNING))
    orchestrator.forgotten = 4
    orchestrator.sessions[session] = session_in(
        session, Phase.CLEANING_UP, outcome=Outcome.STOPPED, reason="stopped by ada"
    )
    await follower.follow_once()
    assert await position(engine) == Position(orchestrator.journal, 5)
    assert await rows(engine, "SELECT phase, outcome, history_complete FROM gateway.dryrun_sessions") == [
        {"phase": "cleaning_up", "outcome": "stopped", "history_complete": False}
    ]
    orchestrator.tell(session, SessionEnded(outcome=Outcome.STOPPED))
    await follower.follow_once()
    assert await stored_numbers(engine) == [1, 6]


async def test_a_replaced_journal_ends_unknown_sessions_and_following_continues(
    follower, engine, orchestrator
):
    lost, done = uuid4(), uuid4()
    queued(orchestrator, lost)
    queued(orchestrator, done)
    orchestrator.tell(done, SessionEnded(outcome=Outcome.COMPLETED))
    await follower.follow_once()
    orchestrator.replace_journal()
    await follower.follow_once()
    assert await position(engine) == Position(orchestrator.journal, 0)
    found = await rows(
        engine, "SELECT id, outcome, reason FROM gateway.dryrun_sessions WHERE phase = 'ended'"
    )
    by_id = {row["id"]: row for row in found}
    assert by_id[done]["outcome"] == "completed"
    assert by_id[lost]["outcome"] == "failed"
    assert "journal was replaced" in by_id[lost]["reason"]
    queued(orchestrator, uuid4())
    await follower.follow_once()
    assert await stored_numbers(engine) == [1, 1, 2, 3]


async def test_what_began_in_another_journal_before_it_is_known_has_all_of_its_history(
    follower, engine, orchestrator
):
    queued(orchestrator, uuid4())
    await follower.follow_once()
    orchestrator.replace_journal()
    early = uuid4()
    queued(orchestrator, early)
    orchestrator.sessions[early] = session_in(early, Phase.QUEUED)
    orchestrator.tell(early, PhaseChanged(phase=Phase.PROVISIONING))
    for _ in range(2):
        await follower.follow_once()
    assert await position(engine) == Position(orchestrator.journal, 2)
    assert await stored_numbers(engine) == [1, 1, 2]
    assert await rows(
        engine, "SELECT phase FROM gateway.dryrun_sessions WHERE history_complete AND outcome IS NULL"
    ) == [{"phase": "provisioning"}]


@pytest.mark.parametrize("has_forgotten", [True, False])
async def test_a_journal_that_is_known_or_has_forgotten_its_beginning_goes_on_from_its_snapshot(
    follower, engine, orchestrator, has_forgotten
):
    session = uuid4()
    first = orchestrator.journal
    queued(orchestrator, session)
    await follower.follow_once()
    orchestrator.replace_journal()
    if not has_forgotten:
        await follower.follow_once()
        orchestrator.journal = first
    queued(orchestrator, session)
    orchestrator.forgotten = orchestrator.seq if has_forgotten else 0
    orchestrator.sessions[session] = session_in(session, Phase.SCANNING)
    for _ in range(2):
        await follower.follow_once()
    assert await position(engine) == Position(orchestrator.journal, orchestrator.seq)
    assert await stored_numbers(engine) == [1]
    # What was lost with the first journal has ended, and no event of before begins it again.
    phase = "scanning" if has_forgotten else "ended"
    assert await rows(engine, "SELECT phase FROM gateway.dryrun_sessions") == [{"phase": phase}]


async def test_a_session_whose_events_have_the_numbers_of_others_has_no_complete_history(
    follower, engine, orchestrator
):
    before, after = uuid4(), uuid4()
    for _ in range(3):
        queued(orchestrator, before)
    await follower.follow_once()
    # Restored from a backup: its next events have numbers that the API knows already.
    orchestrator.log, orchestrator.seq = orchestrator.log[:1], 1
    orchestrator.sessions[before] = session_in(before, Phase.QUEUED)
    await follower.follow_once()
    assert await position(engine) == Position(orchestrator.journal, 1)
    queued(orchestrator, after)
    for _ in range(2):
        orchestrator.tell(after, PhaseChanged(phase=Phase.PROVISIONING))
    await follower.follow_once()
    assert await position(engine) == Position(orchestrator.journal, 4)
    assert await rows(
        engine, f"SELECT phase, history_complete FROM gateway.dryrun_sessions WHERE id = '{after}'"
    ) == [{"phase": "provisioning", "history_complete": False}]
    # One that begins once the numbers are new again lacks nothing.
    whole = uuid4()
    queued(orchestrator, whole)
    await follower.follow_once()
    assert await rows(
        engine, f"SELECT history_complete FROM gateway.dryrun_sessions WHERE id = '{whole}'"
    ) == [{"history_complete": True}]


async def test_a_session_still_waiting_for_the_orchestrator_survives_a_replaced_journal(
    follower, engine, orchestrator
):
    await follower.follow_once()
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO gateway.dryrun_sessions (id, template, digest, seed, keep, requested_by, phase) "
                "VALUES (gen_random_uuid(), 'small', 'sha256:1', 0, false, 'ada', 'requested')"
            )
        )
    orchestrator.replace_journal()
    await follower.follow_once()
    assert await rows(engine, "SELECT phase FROM gateway.dryrun_sessions") == [{"phase": "requested"}]
