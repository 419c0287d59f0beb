import pytest
from stage import PROBE, verdict

from dryrun_contract.session import Outcome
from dryrun_orchestrator.engine.fake import FakeImage
from dryrun_orchestrator.session import isolation


@pytest.fixture(autouse=True)
def short_pause(monkeypatch):
    monkeypatch.setattr(isolation, "CARRIER_SECONDS", 0.2)


def probes(stage, session_id):
    """How many probes of the session were started."""
    removed = stage.engine._machine.removed
    return len([c for c in removed if c.spec.image_id == PROBE and str(session_id) in c.spec.labels.values()])


async def test_a_probe_that_heard_too_little_is_made_anew(stage):
    async with stage.running():
        await stage.eventually(lambda: stage.isolation.last)
        stage.engine.images[PROBE] = FakeImage(log=verdict(isolated=None), exit_after=0.01, exit_code=2)
        session_id = await stage.start()
        await stage.eventually(lambda: probes(stage, session_id))
        stage.engine.images[PROBE] = FakeImage(log=verdict(isolated=True), exit_after=0.01)
        assert (await stage.ended(session_id)).outcome is Outcome.COMPLETED
        assert [event.isolated for event in await stage.told(session_id, "isolation_probed")] == [True]


@pytest.mark.parametrize(
    ("isolated", "exit_code", "times", "says"),
    [
        (None, 2, isolation.PROBES, "the network is not known to be isolated from the host"),
        (False, 1, 1, "the network is not isolated from the host"),
    ],
)
async def test_what_stays_unproven_or_is_disproven_starts_nothing(stage, isolated, exit_code, times, says):
    stage.engine.images[PROBE] = FakeImage(
        log=verdict(isolated=isolated), exit_after=0.01, exit_code=exit_code
    )
    async with stage.running():
        session_id = await stage.start()
        session = await stage.ended(session_id)
        assert (session.outcome, says in session.reason) == (Outcome.FAILED, True)
        assert probes(stage, session_id) == times
