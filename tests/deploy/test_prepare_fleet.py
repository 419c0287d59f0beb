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


def test_names_guards_that_admit_too_few_sessions_where_their_folders_are_beside_the_orchestrators(
    tmp_path: Path,
):
    folder = tmp_path / "made" / "orchestrator"
    folder.mkdir(parents=True)
    for name in ("ca", "cert", "key"):
        (folder / f"{name}.pem").touch()
    (tmp_path / "env").write_text(
        f"COMPOSE_FILE=compose.yaml:fleet/compose.control.yaml\nFLEET_ORCHESTRATOR={folder}\n"
    )
    file = tmp_path / "state" / "config" / "fleet.yml"
    file.parent.mkdir(parents=True)
    host = '{guard: "tcp://10.0.0.2:2376", certificates: /run/secrets/fleet, memory_mib: 4096, cpus: 4, '
    file.write_text(f"{FLEET}  beta: {host}sessions: 8}}\n")
    unseen = prepare(tmp_path)
    assert unseen.startswith("prepare: hint: see that")
    assert "the fleet file places: more than 12 on alpha; without it, a guard admits 10" in unseen

    # As `certificates` writes them; a manager's guard counts the sessions of all hosts.
    for name, policy in (("alpha", '{"makes_overlays": true}'), ("beta", '{"seccomp": "narrow"}')):
        (folder.parent / name).mkdir()
        (folder.parent / name / "policy.json").write_text(policy)
    lines = prepare(tmp_path).splitlines()
    policy_file = folder.parent / "alpha" / "policy.json"
    assert [line.partition(", then copy it to alpha and restart its guard")[0] for line in lines] == [
        f'prepare: write "sessions": 13 or more into {policy_file}',
        f'prepare: write "seccomp": "narrow" into {policy_file}',
    ]
    policy_file.write_text('{"sessions": 13, "seccomp": "narrow"}')
    assert prepare(tmp_path) == ""
    policy_file.write_text('{"session": 13}')
    assert "the guard of alpha does not start with it" in prepare(tmp_path)


def test_one_host_has_no_fleet_to_name(tmp_path: Path):
    assert "fleet" not in prepare(tmp_path)
