"""What deploy/prepare names on the control host of a fleet, before its orchestrator fails to start."""

from pathlib import Path

import pytest
from preparing import prepare

# It needs the images' allowlist, but no engine of a worker.
pytestmark = [pytest.mark.engine, pytest.mark.apart]

FLEET = """managers: [alpha]
overlay: plain
hosts:
  alpha:
    {guard: "tcp://10.0.0.1:2376", certificates: /run/secrets/fleet, memory_mib: 4096, cpus: 4, sessions: 4}
"""


def test_names_what_the_orchestrator_of_a_fleet_would_not_start_with(tmp_path: Path):
    folder = tmp_path / "orchestrator"
    (tmp_path / "env").write_text(
        f"COMPOSE_FILE=compose.yaml:fleet/compose.control.yaml\nFLEET_ORCHESTRATOR={folder}\n"
    )
    file = tmp_path / "state" / "config" / "fleet.yml"
    missing = prepare(tmp_path)
    assert f"write the fleet file {file}" in missing
    assert missing.count(f"with its modes, to {folder}") == 1
    folder.mkdir()
    for name in ("ca", "cert", "key"):
        (folder / f"{name}.pem").touch()
    file.write_text(FLEET.replace("sessions", "session"))
    file.chmod(0o600)
    faulty = prepare(tmp_path)
    assert f"mend {file}: the fleet file: " in faulty
    assert f"chmod 0644 {file}" in faulty
    assert "with its modes" not in faulty
    file.write_text(FLEET)
    file.chmod(0o644)
    assert prepare(tmp_path) == ""


def test_one_host_has_no_fleet_to_name(tmp_path: Path):
    assert "fleet" not in prepare(tmp_path)
