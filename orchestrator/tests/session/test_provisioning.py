from datetime import UTC, datetime, timedelta
from uuid import uuid4

from dryrun_contract.session import Outcome
from dryrun_orchestrator import labels
from dryrun_orchestrator.catalog.allowlist import load_allowlist
from dryrun_orchestrator.engine.protocol import NetworkSpec
from dryrun_orchestrator.session import removal
from dryrun_orchestrator.session.container_specs import container_spec, session_labels


async def test_a_network_of_the_session_by_a_lost_journal_is_replaced(stage):
    session_id, of_lost_journal = uuid4(), uuid4()
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=9)
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
        assert made.subnet != "10.213.7.0/27"
        # Nothing prolongs the deadline of an id: the guard refuses a network with another one.
        assert made.expires_at == soon
        assert (await stage.ended(session_id)).outcome is Outcome.COMPLETED
        assert not stage.left(session_id)


async def test_every_subnet_is_tried_with_the_same_deadline(stage):
    async with stage.running():
        await stage.engine.create_network(
            NetworkSpec(name="foreign", bridge="br-foreign", subnet="10.213.0.0/27", labels={})
        )
        # As long as a swarm takes to say that it has no such subnet left.
        stage.engine.faults.delay("create_network", 1.1, times=None)
        session = await stage.ended(await stage.start())
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)


async def test_what_a_lost_journal_left_goes_as_soon_as_the_engine_lets_go(stage, caplog, monkeypatch):
    session_id = uuid4()
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=9)
    common = session_labels(session_id, uuid4(), "two", soon)
    stage.changes |= {"provisioning_seconds": 20}
    async with stage.running():
        await stage.engine.create_network(
            NetworkSpec(
                name=labels.network_name(session_id), bridge="drs0", subnet="10.213.7.0/27", labels=common
            )
        )
        web = load_allowlist(stage.settings.allowlist).image("discovery/test-web:1")
        old = await stage.engine.create_container(
            container_spec(
                session_id, common, web, service="web", address="10.213.7.2", environment={"SITE": "old"}
            )
        )
        refusals = ["the engine is busy"]

        async def remove(engine, container, places):
            if container.id == old and refusals:
                return refusals.pop()
            return await removed(engine, container, places)

        removed = removal._remove_container
        monkeypatch.setattr(removal, "_remove_container", remove)
        await stage.start(session_id)
        session = await stage.ended(session_id)
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
        assert "what a lost journal left of this session" in caplog.text
        targets = await stage.journal.targets(session_id)
        assert old not in {target.container_id for target in targets.values()}
        assert not stage.left(session_id)
