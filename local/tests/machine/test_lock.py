import os

import pytest

from dryrun_local.machine.errors import AlreadyRunningError
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import held


@pytest.fixture
def installation(tmp_path) -> Installation:
    return Installation(tmp_path, tmp_path / "state")


def test_refuses_a_second_holder_and_names_the_first(installation):
    with (
        held(installation),
        pytest.raises(AlreadyRunningError, match=rf"process {os.getpid()}\b"),
        held(installation),
    ):
        pass
    with held(installation):
        pass
