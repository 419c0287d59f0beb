"""Shared: where stand-ins of tests are built."""

import pytest

from dryrun_local.machine.installation import Installation


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A state folder of its own, on the images of this machine."""
    found = Installation(Installation.here().root, tmp_path_factory.mktemp("state"))
    found.prepare()
    return found
