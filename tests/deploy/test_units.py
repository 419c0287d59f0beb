"""systemd knows every line of the units, and they leave a service little to break out with."""

import os
import re
import shutil
import subprocess
from pathlib import Path

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
    output = analyze("verify", str(DEPLOY / "systemd" / unit)).splitlines()
    # The programs are where an installation puts them.
    assert [line for line in output if unit in line and "is not executable" not in line] == []


@pytest.mark.parametrize("unit", UNITS)
def test_a_service_is_little_exposed(unit):
    output = analyze("security", "--offline=true", str(DEPLOY / "systemd" / unit))
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", output)
    assert found is not None, output
    assert float(found[1]) <= MOST_EXPOSED


# It needs the images' allowlist and starts nothing.
@pytest.mark.engine
@pytest.mark.apart
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user: needs root")
def test_what_prepare_writes_is_read_by_whom_the_units_name_and_by_nobody_else(tmp_path: Path):
    """The services' users read what is no secret; secrets are systemd's to hand over, which is root."""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:  # pytest shuts its own folders
        if parent.stat().st_mode & 0o005 != 0o005:
            parent.chmod(0o755)
    state = tmp_path / "discovery"
    subprocess.run(
        [DEPLOY / "prepare", "--state", state, "--env", "/dev/null"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    text = "\n".join((DEPLOY / "systemd" / unit).read_text() for unit in UNITS)
    handed = set(re.findall(r"^LoadCredential=\S+:/etc/discovery/(\S+)$", text, re.MULTILINE))
    read = set(re.findall(r"/etc/discovery/([\w./-]+)", text)) - handed
    # The templates of imported networks, of which there may be none.
    read.remove(folder := "config/replicas")
    assert readable(state, {folder}, "ls") == {folder}
    assert {name for name in handed | read if not (state / name).is_file()} == set()
    assert (readable(state, handed), readable(state, read)) == (set(), read)
    others = {str(file.relative_to(state)) for file in state.rglob("*") if file.is_file()}
    # People who check signed reports get the public key there.
    replicas = {name for name in others if name.startswith(f"{folder}/")}
    assert readable(state, others) == read | replicas | {"config/report-key.pub"}


def readable(folder: Path, names: set[str], program: str = "cat") -> set[str]:
    """Return which files a user can read who is nobody in particular."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return {
        name
        for name in names
        if subprocess.run([*nobody, program, folder / name], capture_output=True, check=False).returncode == 0
    }


def test_only_the_guard_is_in_the_engines_group():
    grouped = [unit for unit in UNITS if "Groups=docker\n" in (DEPLOY / "systemd" / unit).read_text()]
    assert grouped == ["docker-guard.service"]
