"""What deploy/prepare writes fits the services' defaults."""

import json
import subprocess
from pathlib import Path

import pytest
from deployment import DEPLOY

from docker_guard.policy import Policy
from dryrun_orchestrator.settings import Settings

pytestmark = pytest.mark.skipif(
    not (DEPLOY.parent / ".dryrun" / "allowlist.json").is_file() or not Path("/var/run/docker.sock").exists(),
    reason="deploy/prepare copies the allowlist of built images and asks whose the engine's socket is",
)


def prepare(place: Path, *arguments: str) -> str:
    """Return what it warns of."""
    done = subprocess.run(
        [DEPLOY / "prepare", "--state", place / "state", "--env", place / "env", *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stderr


def test_the_guard_has_more_places_for_sessions_than_the_orchestrator_takes(tmp_path: Path):
    assert prepare(tmp_path) == ""
    policy = Policy.load(tmp_path / "state" / "config" / "guard-policy.json")
    assert policy.sessions > Settings.model_fields["sessions_at_once"].default
    assert policy.containers >= policy.sessions * (policy.targets + policy.running_collectors)


def test_names_a_policy_with_too_few_places_for_the_setting(tmp_path: Path):
    prepare(tmp_path)
    assert prepare(tmp_path) == ""
    with (tmp_path / "env").open("a") as env:
        env.write("ORCHESTRATOR_SESSIONS_AT_ONCE=12\n")
    file = tmp_path / "state" / "config" / "guard-policy.json"
    for sessions, reported in ((12, True), (None, True), (13, False)):
        written = json.loads(file.read_text())
        written.pop("sessions", None)
        if sessions is not None:
            written["sessions"] = sessions
        file.chmod(0o644)
        file.write_text(json.dumps(written, indent=2))
        assert ('check "sessions"' in prepare(tmp_path)) is reported


def test_what_an_operator_wrote_stays_and_the_hosts_authorities_are_renewed(tmp_path: Path):
    assert prepare(tmp_path, "without-dryrun") == ""
    folder = tmp_path / "state" / "secrets"
    assert (folder / "oidc_client_secret").read_text() == ""
    for name in ("oidc_client_secret", "oidc_authorities"):
        (folder / name).chmod(0o644)
        (folder / name).write_text("written by hand")
    prepare(tmp_path, "without-dryrun")
    assert (folder / "oidc_client_secret").read_text() == "written by hand"
    assert (folder / "oidc_authorities").read_text() != "written by hand"
