"""Fixtures for tests of several hosts: three engines and their guards, once for each file."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_lab import LAYERS, FleetLab, open_fleet
from local_stack import ROOT


@pytest.fixture(scope="module")
def fleet() -> Iterator[FleetLab]:
    if not LAYERS.is_dir():
        pytest.skip("needs an engine of its own: tests/support/with-own-engine .venv/bin/pytest …")
    with (
        tempfile.TemporaryDirectory(prefix="dt-", ignore_cleanup_errors=True) as folder,
        open_fleet(Path(folder) / "fleet", ROOT / ".dryrun" / "allowlist.json") as lab,
    ):
        yield lab
