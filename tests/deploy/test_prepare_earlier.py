"""deploy/prepare beside an earlier deployment: it makes no second set of secrets for it."""

from pathlib import Path
from uuid import uuid4

import pytest
from deployment import DEPLOY, run
from preparing import prepare, prepared

# It needs the images' allowlist, but no engine of a worker.
pytestmark = [pytest.mark.engine, pytest.mark.apart]


def test_settings_whose_secrets_are_missing_are_refused_before_anything_is_written(tmp_path: Path):
    prepare(tmp_path)
    (tmp_path / "state").rename(tmp_path / "moved")
    before = (tmp_path / "env").read_bytes()
    done = prepared(tmp_path)
    assert (done.returncode, f"{tmp_path}/state/secrets is missing" in done.stderr) == (1, True)
    assert "put them back" in done.stderr
    assert not (tmp_path / "state").exists()
    assert (tmp_path / "env").read_bytes() == before
    (tmp_path / "moved").rename(tmp_path / "state")
    assert prepare(tmp_path) == ""


def test_a_folder_that_an_operator_names_ahead_is_no_earlier_deployment(tmp_path: Path):
    (tmp_path / "env").write_text(f"DRYRUN_STATE={tmp_path / 'state'}\n")
    assert prepare(tmp_path) == ""


def test_a_database_without_its_secrets_is_refused_before_anything_is_written(tmp_path: Path):
    project = f"dryrun-test-{uuid4().hex[:8]}"
    (tmp_path / "env").write_text(f"COMPOSE_PROJECT_NAME={project}\n")
    volume = f"{project}_database"
    run("docker", "volume", "create", volume)
    try:
        done = prepared(tmp_path, DOCKER_HOST="")
        assert (done.returncode, f"docker volume rm {volume}" in done.stderr) == (1, True)
        assert not (tmp_path / "state").exists()
    finally:
        run("docker", "volume", "rm", volume)
    assert prepared(tmp_path, DOCKER_HOST="").returncode == 0


def test_an_upgrade_in_place_has_its_secrets_and_its_database(tmp_path: Path):
    project = f"dryrun-test-{uuid4().hex[:8]}"
    (tmp_path / "env").write_text(f"COMPOSE_PROJECT_NAME={project}\n")
    prepare(tmp_path)
    run("docker", "volume", "create", f"{project}_database")
    try:
        assert prepared(tmp_path, DOCKER_HOST="").returncode == 0
    finally:
        run("docker", "volume", "rm", f"{project}_database")


def test_a_database_in_a_folder_of_the_operators_has_no_volume_to_look_for(tmp_path: Path):
    own = tmp_path / "own.yaml"
    own.write_text('services: {postgres: {volumes: !override ["/srv/database:/var/lib/postgresql/data"]}}\n')
    (tmp_path / "env").write_text(f"COMPOSE_FILE={DEPLOY / 'compose.yaml'}:{own}\n")
    assert prepared(tmp_path, DOCKER_HOST="").returncode == 0


def test_an_engine_that_does_not_answer_has_no_earlier_deployment(tmp_path: Path):
    assert prepared(tmp_path, DOCKER_HOST="unix:///nonexistent").returncode == 0


def test_names_the_group_of_the_socket_where_the_settings_come_from_another_host(tmp_path: Path):
    prepare(tmp_path)
    settings = (tmp_path / "env").read_text().splitlines()
    (group,) = (line for line in settings if line.startswith("DOCKER_GID="))
    (tmp_path / "env").write_text(
        "\n".join([*(line for line in settings if line != group), "DOCKER_GID=64123\n"])
    )
    assert f"write {group} there" in prepare(tmp_path)
