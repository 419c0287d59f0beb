"""What deploy/prepare takes from its options, from the settings' file and from a shell."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from deployment import DEPLOY
from preparing import composed, own_environment, prepare, prepared
from small_disk import filled, small_disk

from approval_api.egress.hosts import HostList

# It needs the images' allowlist, but no engine of a worker.
pytestmark = [pytest.mark.engine, pytest.mark.apart]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--prefix", "300.1"), "DRYRUN_PREFIX=300.1 in {env}: write the first three numbers"),
        (("--prefix", "10.212.256"), "DRYRUN_PREFIX=10.212.256 in {env}: write the first three numbers"),
        (("--public-url", "approval.example"), "APPROVAL_PUBLIC_URL: must be a URL"),
        (("--public-url", "https://approval example"), "APPROVAL_PUBLIC_URL: must be a URL"),
        (("--public-url", "it's"), "docker compose cannot use {env}"),
        (("--deliver-to", "https://hooks example"), "DELIVERY_HOSTS: 'https://hooks example'"),
        (("--deliver-to", "a.example, http://b.example"), "DELIVERY_HOSTS: 'http://b.example'"),
        (("--deliver-to", "a.example/path"), "DELIVERY_HOSTS: 'a.example/path'"),
        (("--env", "/nowhere/env"), "/nowhere/env: there is no folder /nowhere"),
        (("--env", "/dev/null", "--prefix", "10.212.7"), "/dev/null takes no setting"),
        (("--env", "/dev/null", "--deliver-to", ""), "/dev/null takes no setting"),
    ],
)
def test_an_option_that_is_faulty_is_refused_before_anything_is_written(
    tmp_path: Path, arguments: tuple[str, ...], says: str
):
    done = prepared(tmp_path, *arguments)
    assert done.returncode == 1
    assert says.format(env=tmp_path / "env") in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("--public-url",), ("without-dryrun", "more"), ("without",)])
def test_wrong_usage_is_refused_with_the_usage(tmp_path: Path, arguments: tuple[str, ...]):
    done = prepared(tmp_path, *arguments)
    assert (done.returncode, done.stderr.startswith("usage: deploy/prepare ")) == (2, True)
    assert arguments[-1] in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_an_option_after_the_command_has_its_effect(tmp_path: Path):
    prepare(tmp_path, "without-dryrun", "--public-url", "https://approval.example")
    given = composed(tmp_path)["approval-api"]["environment"]
    assert given["APPROVAL_PUBLIC_URL"] == "https://approval.example"


@pytest.mark.parametrize(
    "hosts",
    [
        "hooks.example.com, netbox.lan=10.1.2.0/24",
        "https://hooks.example.com:8443,http://[2001:db8::1]:80=2001:db8::/32+10.0.0.0/8,",
        "10.1.2.3=10.1.2.3/32",
    ],
)
def test_hosts_that_the_delivering_process_reads_are_taken(tmp_path: Path, hosts: str):
    assert HostList.parse(hosts).places
    prepare(tmp_path, "--deliver-to", hosts)
    assert composed(tmp_path)["approval-delivery"]["environment"]["DELIVERY_HOSTS"] == hosts


def test_a_prefix_that_an_existing_file_would_ignore_is_refused(tmp_path: Path):
    prepare(tmp_path, "--prefix", "10.212.7")
    before = (tmp_path / "env").read_bytes()
    assert prepare(tmp_path, "--prefix", "10.212.7") == ""
    done = prepared(tmp_path, "--prefix", "10.212.8")
    assert done.returncode == 1
    assert f"{tmp_path / 'env'} has DRYRUN_PREFIX=10.212.7" in done.stderr
    done = prepared(tmp_path, "--prefix", "10.212.256")
    assert "--prefix 10.212.256: write the first three numbers of a private address" in done.stderr
    assert (tmp_path / "env").read_bytes() == before


def test_adds_what_a_file_that_was_written_before_lacks(tmp_path: Path):
    # Without the end of its last line.
    (tmp_path / "env").write_text("DRYRUN_PUBLISH=127.0.0.1:8480\nCOMPOSE_PROFILES='deliveries'")
    done = prepared(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "added to" in done.stdout
    services = composed(tmp_path)
    assert {"approval-delivery", "dryrun-orchestrator", "docker-proxy"} <= services.keys()
    assert services["approval-api"]["environment"]["APPROVAL_DRYRUN"] == "on"
    assert services["approval-api"]["ports"][0]["published"] == "8480"
    mounted = {volume["source"] for volume in services["docker-proxy"]["volumes"]}
    assert str(tmp_path / "state" / "config") in mounted
    assert services["docker-proxy"]["group_add"] == [str(Path("/var/run/docker.sock").stat().st_gid)]
    written = (tmp_path / "env").read_bytes()
    assert "added to" not in prepared(tmp_path).stdout
    assert (tmp_path / "env").read_bytes() == written


@pytest.mark.parametrize("option", ["--state", "--env"])
def test_an_empty_path_is_refused_at_once(tmp_path: Path, option: str):
    done = prepared(tmp_path, option, "")
    assert (done.returncode, f"{option} needs a" in done.stderr) == (2, True)


@pytest.mark.parametrize("arguments", [("--env", "/dev/null"), ("secrets",)])
def test_nothing_is_asked_of_docker_where_there_are_no_settings(tmp_path: Path, arguments: tuple[str, ...]):
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\nexit 9\n")
    docker.chmod(0o755)
    path = f"{docker.parent}:{os.environ['PATH']}"
    assert prepared(tmp_path, PATH=path).returncode == 1
    assert prepared(tmp_path, *arguments, PATH=path).returncode == 0


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_settings_that_are_no_file_are_refused_at_once(tmp_path: Path, kind: str):
    if kind == "folder":
        (tmp_path / "env").mkdir()
    else:
        os.mkfifo(tmp_path / "env")
    done = prepared(tmp_path)
    assert (done.returncode, f"{tmp_path / 'env'} is not a file" in done.stderr) == (1, True)


def test_what_a_shell_has_set_is_judged_as_compose_would_take_it_and_named(tmp_path: Path):
    assert prepare(tmp_path) == ""
    done = prepared(tmp_path, DRYRUN_SUBNET_POOL="8.8.8.0/24")
    assert (done.returncode, "8.8.8.0/24 is not private" in done.stderr) == (1, True)
    done = prepared(
        tmp_path, DRYRUN_PUBLISH="127.0.0.1:8480", DRYRUN_PREFIX="10.212.255", DOCKER_HOST="unix:///x"
    )
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "DRYRUN_PUBLISH=127.0.0.1:8480 in this shell's environment overrides" in line


def test_a_value_of_several_lines_is_one_value_and_stays(tmp_path: Path):
    written = "DELIVERY_SMTP_FROM='a\nDRYRUN_PREFIX=10.212.9\nAPPROVAL_PUBLIC_URL=http://x\nb'\n"
    (tmp_path / "env").write_text(written)
    assert prepare(tmp_path) == ""
    assert (tmp_path / "env").read_text().startswith(written)
    assert composed(tmp_path)["dryrun-orchestrator"]["networks"]["engine"]["ipv4_address"] == "10.212.255.62"
    prepare(tmp_path, "--public-url", "https://approval.example")
    before = (tmp_path / "env").read_bytes()
    assert before.decode().startswith(written)
    done = prepared(tmp_path, "--public-url", "https://other.example")
    assert (done.returncode, "write that by hand" in done.stderr) == (1, True)
    assert (tmp_path / "env").read_bytes() == before


def test_a_variable_that_is_empty_or_has_no_value_counts_as_not_set(tmp_path: Path):
    (tmp_path / "env").write_text("DOCKER_GID=\nDRYRUN_PREFIX\nDRYRUN_STATE=\n")
    assert prepare(tmp_path) == ""
    services = composed(tmp_path)
    assert services["docker-proxy"]["group_add"] == [str(Path("/var/run/docker.sock").stat().st_gid)]
    mounted = {volume["source"] for volume in services["docker-proxy"]["volumes"]}
    assert str(tmp_path / "state" / "config") in mounted


def test_the_folder_of_the_settings_is_taken_where_none_is_named(tmp_path: Path):
    prepare(tmp_path)
    token = tmp_path / "state" / "secrets" / "api_tokens"
    before = token.read_text()
    for arguments in ([], ["rotate", "api_tokens"]):
        command = [DEPLOY / "prepare", "--env", tmp_path / "env", *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60, env=own_environment())
    assert token.read_text() != before
    assert (
        not (DEPLOY / "state").exists()
        or token.read_text() != (DEPLOY / "state/secrets/api_tokens").read_text()
    )


def test_settings_are_written_whole_or_not_at_all_and_stay_their_owners(tmp_path: Path):
    with small_disk(tmp_path / "disk", kib=32) as disk:
        file = disk / "settings"
        before = f"# {'x' * 9000}\nDRYRUN_PUBLISH=127.0.0.1:8480\n"
        file.write_text(before)
        file.chmod(0o640)
        os.chown(file, 1234, 1234)
        with filled(disk):
            done = prepared(tmp_path, "--env", str(file))
            assert (done.returncode, "No space left" in done.stderr) == (1, True)
            assert "added to" not in done.stdout
            assert file.read_text() == before
        assert prepare(tmp_path, "--env", str(file)) == ""
        assert file.read_text().startswith(before)
        assert "\nDRYRUN_PREFIX=" in file.read_text()
        stat = file.stat()
        assert (stat.st_mode & 0o777, stat.st_uid, stat.st_gid) == (0o640, 1234, 1234)
        assert list(disk.iterdir()) == [file]


def test_what_is_missing_of_docker_is_said(tmp_path: Path):
    (tmp_path / "bin").mkdir()
    for name in ("sh", "dirname"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    (tmp_path / "env").write_text("DRYRUN_PUBLISH=127.0.0.1:8480\n")
    done = prepared(tmp_path, PATH=str(tmp_path / "bin"))
    assert (done.returncode, "docker is missing" in done.stderr) == (1, True)
    assert prepared(tmp_path, "secrets", PATH=str(tmp_path / "bin")).returncode == 0


@pytest.mark.parametrize(("first", "then"), [("with", "without"), ("without", "with")])
def test_a_command_that_existing_settings_contradict_is_not_called_ready(
    tmp_path: Path, first: str, then: str
):
    assert prepare(tmp_path, f"{first}-dryrun") == ""
    if first == "without":
        with (tmp_path / "env").open("a") as env:
            env.write("COMPOSE_PROFILES=\n")
    again = prepared(tmp_path, f"{first}-dryrun")
    assert (again.returncode, again.stderr, "added to" in again.stdout) == (0, "", False)
    said = prepare(tmp_path, f"{then}-dryrun")
    # Without a guard nothing removes what a session built.
    ended = "end each session (dryrun stop ID), since nothing removes it afterwards; "
    assert f"For {then}-dryrun: {ended if then == 'without' else ''}docker compose down, then" in said
    assert prepare(tmp_path, f"{first}-dryrun") == ""


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ([], "name the secrets to rotate; there are: database_owner, "),
        (["api_tokens", "nix"], "there is no secret nix; there are: database_owner, "),
    ],
)
def test_rotating_no_secret_or_an_unknown_one_is_wrong_usage(
    tmp_path: Path, names: list[str], complaint: str
):
    prepare(tmp_path)
    token = (tmp_path / "state/secrets/api_tokens").read_text()
    done = prepared(tmp_path, "rotate", *names)
    assert (done.returncode, complaint in done.stderr) == (2, True)
    assert (tmp_path / "state/secrets/api_tokens").read_text() == token
