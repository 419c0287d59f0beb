from datetime import UTC, datetime, timedelta
from uuid import uuid4

from dryrun_contract.session import Outcome
from dryrun_orchestrator import labels
from dryrun_orchestrator.engine.protocol import NetworkSpec
from dryrun_orchestrator.session.container_specs import session_labels


async def test_a_network_of_the_session_by_a_lost_journal_is_replaced(stage):
    session_id, of_lost_journal = uuid4(), uuid4()
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=1)
    async with stage.running():
        left = await stage.engine.create_network(
            NetworkSpec(
                name=labels.network_name(session_id),
                bridge="drs0",
                subnet="10.213.7.0/27",
                labels=session_labels(session_id, of_lost_journal, "two", soon),
            )
        )
        await stage.start(session_id)
        await stage.until_stored(session_id, "isolation_probed")
        assert left not in stage.engine.networks
        owners = {network.spec.labels[labels.OWNER] for network in stage.engine.networks.values()}
        assert owners == {str(stage.journal.id)}
        (made,) = await stage.events_of(session_id, "network_created")
        assert (made.subnet, made.expires_at) != ("10.213.7.0/27", soon)
        assert (await stage.ended(session_id)).outcome is Outcome.COMPLETED
        assert not stage.left(session_id)
