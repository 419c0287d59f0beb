import os

import pytest

from dryrun_local.machine.errors import AlreadyRunningError
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import IMAGES, held, is_held


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


def test_images_can_be_built_while_services_run(installation):
    assert not is_held(installation)
    with held(installation):
        assert is_held(installation)
        with (
            held(installation, IMAGES),
            pytest.raises(AlreadyRunningError, match=r"images of .*; try again once it has: services "),
            held(installation, IMAGES),
        ):
            pass
