"""A fleet that nobody uses for a while takes the next session."""

from dryrun_contract.session import Outcome
from dryrun_orchestrator.hosts.fleet_view import hosts_state, show_fleet
from dryrun_orchestrator.session.isolation import PROOF_SECONDS


async def test_hosts_whose_last_proof_is_old_take_sessions(fleet):
    async with fleet.running():
        hosts = fleet.supervisor._hosts
        await fleet.eventually(lambda: all(host.obstacle is None for host in hosts.all))
        for host in hosts.all:
            host.isolation._proved_at -= PROOF_SECONDS + 1
        assert hosts_state(await show_fleet(hosts, fleet.journal)).startswith("ok, 3 of 3 hosts")
        session = await fleet.ended(await fleet.start())
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
