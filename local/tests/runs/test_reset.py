import pytest

from dryrun_local.machine.errors import AlreadyRunningError
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import IMAGES, held
from dryrun_local.runs.reset import reset
from dryrun_local.terminal.screen import Screen


@pytest.fixture
def installation(tmp_path) -> Installation:
    return Installation(tmp_path, tmp_path / "state")


async def test_reset_removes_the_state_but_not_under_running_services_or_a_build(installation):
    installation.prepare()
    (installation.state / "postgres").mkdir()
    for name in ((), (IMAGES,)):
        with held(installation, *name), pytest.raises(AlreadyRunningError):
            await reset(installation, Screen(to_error=True))
        assert (installation.state / "postgres").exists()

    await reset(installation, Screen(to_error=True))
    assert list(installation.state.iterdir()) == []
