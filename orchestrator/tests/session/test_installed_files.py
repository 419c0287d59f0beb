import pytest
from engine_in_memory.engine import FakeImage
from stage import NETWORK, NETWORK_OUTPUT, TEMPLATE

from dryrun_contract.collector_config import CollectorConfig, configuration_digest
from dryrun_contract.scan_choice import ScanChoice
from dryrun_contract.session import Outcome
from dryrun_orchestrator import metrics
from dryrun_orchestrator.catalog.scan_choice import ScanChoiceError
from dryrun_orchestrator.running import supervisor
from dryrun_orchestrator.running.supervisor import SessionDiffersError

CHANGED = TEMPLATE.replace("Two targets", "Changed")


async def test_what_is_installed_while_the_service_runs_can_be_started(stage, monkeypatch):
    monkeypatch.setattr(supervisor, "REREAD_SECONDS", 0.02)
    async with stage.running():
        before = stage.supervisor.catalog.get("two").digest
        (stage.folder / "templates" / "two.yml").write_text(CHANGED)
        await stage.eventually(lambda: stage.supervisor.catalog.get("two").digest != before)
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert session.outcome is Outcome.COMPLETED
        assert session.template_digest == stage.supervisor.catalog.get("two").digest


async def test_a_session_goes_on_with_the_files_it_began_with_also_in_a_new_process(stage, monkeypatch):
    monkeypatch.setattr(supervisor, "REREAD_SECONDS", 0.02)
    stage.engine.images[NETWORK] = FakeImage(log=NETWORK_OUTPUT, exit_after=1.0, log_pause=0.01)
    async with stage.running():
        session_id = await stage.start()
        await stage.until_stored(session_id, "collector_started")
        began_with = stage.supervisor.catalog.get("two").digest
        (stage.folder / "templates" / "two.yml").write_text(CHANGED)
        await stage.eventually(lambda: stage.supervisor.catalog.get("two").digest != began_with)
    async with stage.running():
        session = await stage.ended(session_id)
        assert (session.outcome, session.reason) == (Outcome.COMPLETED, None)
        assert session.template_digest == began_with
        (queued,) = await stage.events_of(session_id, "session_queued")
        assert queued.installed_digest == f"sha256:{(await stage.journal.session(session_id)).installed}"


async def test_invalid_files_are_reported_and_do_no_harm(stage, monkeypatch):
    monkeypatch.setattr(supervisor, "REREAD_SECONDS", 0.02)
    async with stage.running():
        (stage.folder / "allowlist.json").write_text("{")
        await stage.eventually(lambda: "last good" in stage.supervisor.files_state)
        assert "is not JSON" in stage.supervisor.files_state
        await stage.eventually(lambda: metrics.INSTALLED_VALID._value.get() == 0)
        session = await stage.ended(await stage.start())
        assert session.outcome is Outcome.COMPLETED


async def test_a_session_is_scanned_as_chosen_also_in_a_new_process(stage):
    choice = ScanChoice(collectors=("network",), profile="full", max_rate=100)
    stage.engine.images[NETWORK] = FakeImage(log=NETWORK_OUTPUT, exit_after=0.5, log_pause=0.01)
    async with stage.running():
        session_id = await stage.start(scan=choice)
    async with stage.running():
        session = await stage.ended(session_id)
        assert (session.outcome, session.scan) == (Outcome.COMPLETED, choice)
        (queued,) = await stage.events_of(session_id, "session_queued")
        assert queued.scan == choice
        (started,) = await stage.events_of(session_id, "collector_started")
        asked = CollectorConfig(cidr="10.213.0.0/27", profile="full", max_rate=100)
        assert (started.collector, started.config_digest) == ("network", configuration_digest(asked))


async def test_a_choice_that_is_not_installed_starts_nothing(stage):
    async with stage.running():
        with pytest.raises(ScanChoiceError, match="no collector nobody is installed"):
            await stage.start(scan=ScanChoice(collectors=("nobody",)))
        assert await stage.supervisor.list() == []


async def test_the_same_session_with_another_choice_is_refused(stage):
    async with stage.running():
        session_id = await stage.start()
        with pytest.raises(SessionDiffersError, match="already exists"):
            await stage.start(session_id, scan=ScanChoice(profile="full"))
