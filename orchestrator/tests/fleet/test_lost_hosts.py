"""What a lost host keeps of sessions that stood on others too."""

from fleet_stage import left, resize

from dryrun_contract.session import Phase
from dryrun_orchestrator.session import cleaning_up


async def test_a_lost_host_keeps_nothing_of_its_sessions_on_the_others(fleet, impatient, monkeypatch):
    monkeypatch.setattr(cleaning_up, "STUCK_SECONDS", 0)
    resize(fleet, a=(1, 4), b=(2, 4), c=(1, 4))
    fleet.changes = {"reaper_seconds": 1000}
    async with fleet.running():
        session_id = await fleet.start(keep=True)
        await fleet.until(session_id, Phase.KEPT)
        lost = fleet.fleet["c"][0]
        lost.go_down()
        await fleet.until(session_id, Phase.CLEANING_UP)
        await fleet.eventually(lambda: not fleet.fleet["a"][0].containers)
        # The others have their room again, and people read until when the session waits.
        hosts = fleet.supervisor._hosts
        records = [record for record in await fleet.journal.sessions() if record.id == session_id]
        await fleet.eventually(
            lambda: [room.containers for room in hosts.rooms(records, ("a", "b", "c"))] == [1, 2, 0]
        )
        *_, stuck = [
            event for event in await fleet.events_of(session_id, "phase_changed") if event.reason is not None
        ]
        assert "host c: " in stuck.reason
        latest = records[0].expires_at + cleaning_up.AFTER_DEADLINE
        assert f"the session ends once the host answers, or at {latest:%H:%M:%S} UTC" in stuck.reason
        assert (await fleet.supervisor.show(session_id)).phase is Phase.CLEANING_UP
        lost.come_up()
        await fleet.ended(session_id)
        assert [room.containers for room in hosts.rooms(records, ("a", "b", "c"))] == [0, 0, 0]
        assert not left(fleet, session_id)
