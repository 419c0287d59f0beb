"""The systemd units say nothing that systemd does not know, and leave a service little to break out with."""

import re
import shutil
import subprocess

import pytest
from deployment import DEPLOY

UNITS = sorted(path.name for path in (DEPLOY / "systemd").glob("*.service"))
MOST_EXPOSED = 2.0
"""Of systemd's own scale from 0 to 10."""

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def analyze(*arguments: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_knows_every_line_of_the_unit(unit):
    told = analyze("verify", str(DEPLOY / "systemd" / unit)).splitlines()
    # The programs are where an installation puts them.
    assert [line for line in told if unit in line and "is not executable" not in line] == []


@pytest.mark.parametrize("unit", UNITS)
def test_a_service_is_little_exposed(unit):
    told = analyze("security", "--offline=true", str(DEPLOY / "systemd" / unit))
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told)
    assert found is not None, told
    assert float(found[1]) <= MOST_EXPOSED


def test_only_the_guard_is_in_the_engines_group():
    grouped = [unit for unit in UNITS if "Groups=docker\n" in (DEPLOY / "systemd" / unit).read_text()]
    assert grouped == ["docker-guard.service"]
