"""What deploy/prepare keeps, makes anew and rotates in a deployment's folder."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from deployment import DEPLOY
from preparing import own_environment, prepare, prepared

from docker_guard.rules.policy import Policy

RUNBOOK = DEPLOY.parent / "docs" / "operations.md"
SYSTEMD = DEPLOY / "systemd"

# It needs the images' allowlist, but no engine of a worker.
pytestmark = [pytest.mark.engine, pytest.mark.apart]


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


def test_a_new_policy_has_the_pool_of_the_settings(tmp_path: Path):
    (tmp_path / "env").write_text('DRYRUN_SUBNET_POOL="10.213.64.0/18"\n')
    assert prepare(tmp_path) == ""
    policy = Policy.load(tmp_path / "state" / "config" / "guard-policy.json")
    assert str(policy.subnet_pool) == "10.213.64.0/18"
    assert policy.seccomp == "narrow"


@pytest.mark.parametrize("kind", ["with-dryrun", "without-dryrun"])
def test_a_rotation_names_the_services_to_recreate(tmp_path: Path, kind: str):
    def named(*names: str) -> list[str]:
        return [line.split()[0] for line in prepared(tmp_path, "rotate", *names).stdout.splitlines()[1:]]

    prepare(tmp_path, kind)
    table = RUNBOOK.read_text().partition("## Rotate a secret")[2].partition("\n\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([\w, -]+?) \|", table, re.MULTILINE)
    assert len(rows) == len(prepared(tmp_path, "secrets").stdout.split())
    off = {"approval-delivery"}
    if kind == "without-dryrun":
        off |= {"docker-proxy", "dryrun-orchestrator"}
    for secret, services in rows:
        assert named(secret) == [each for each in services.split(", ") if each not in off]
    prepare(tmp_path, "--deliver-to", "hooks.example.com", kind)
    assert named("database_delivery", "api_tokens") == ["postgres", "approval-api", "approval-delivery"]


def test_a_rotation_without_a_settings_file_names_the_units_to_restart(tmp_path: Path):
    def named(*names: str) -> list[str]:
        done = prepared(tmp_path, "--env", "/dev/null", "rotate", *names)
        assert done.returncode == 0
        assert "compose" not in done.stdout
        return [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]

    prepare(tmp_path)
    units = {path.stem for path in SYSTEMD.glob("*.service")}
    assert named("guard_tls", "api_tokens") == ["docker-guard", "dryrun-orchestrator", "approval-api"]
    assert named("database_delivery") == ["approval-delivery"]
    assert named("database_owner") == []
    assert units == set(named("guard_tls", "api_tokens", "database_delivery"))


@pytest.mark.parametrize(
    "orchestrator",
    [
        "COMPOSE_PROFILES=deliveries\nDRYRUN=on\nDELIVERY_HOSTS=hooks.example.com\n",
        "COMPOSE_FILE=compose.yaml:{more}\n",
    ],
)
def test_a_new_policy_has_the_addresses_of_the_settings_where_no_orchestrator_has_one(
    tmp_path: Path, orchestrator: str
):
    more = tmp_path / "more.yaml"
    more.write_text("services: {dryrun-orchestrator: {networks: !reset null, network_mode: none}}\n")
    (tmp_path / "env").write_text(
        f"DRYRUN_PREFIX=10.212.7\nDRYRUN_SUBNET_POOL=10.213.64.0/18\n{orchestrator.format(more=more)}"
    )
    prepare(tmp_path)
    policy = Policy.load(tmp_path / "state" / "config" / "guard-policy.json")
    assert [str(each) for each in policy.client_networks] == ["10.212.7.62/32"]
    assert str(policy.subnet_pool) == "10.213.64.0/18"


@pytest.mark.parametrize("allowlist", [None, "", '{"version": 1, "images": {', '{"images": {}}'])
def test_an_allowlist_that_is_missing_or_faulty_is_refused_before_anything_is_written(
    tmp_path: Path, allowlist: str | None
):
    checkout = _checkout(tmp_path)
    if allowlist is not None:
        (checkout / ".dryrun" / "allowlist.json").write_text(allowlist)

    done = _prepared_in(checkout, "with-dryrun")
    assert (done.returncode, "build the images" in done.stderr) == (1, True)
    assert str(checkout / ".dryrun" / "allowlist.json") in done.stderr
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "env").exists()
    assert _prepared_in(checkout, "without-dryrun").returncode == 0


def test_templates_of_imported_networks_follow_what_is_installed(tmp_path: Path):
    checkout = _checkout(tmp_path, built=True)
    taken_over = tmp_path / "state" / "config" / "replicas"
    assert _prepared_in(checkout).returncode == 0
    assert [*taken_over.iterdir()] == []

    templates = _templates_of_networks(checkout)
    small = (DEPLOY.parent / "templates" / "small.yml").read_text()
    for name in ("acme", "pinehub"):
        (templates / f"{name}.yml").write_text(small)
    said = "templates of imported networks: "
    assert f"{said}acme added, pinehub added\n" in _prepared_in(checkout).stdout
    assert said not in _prepared_in(checkout).stdout
    (templates / "acme.yml").write_text(f"# changed\n{small}")
    (templates / "pinehub.yml").unlink()
    assert f"{said}pinehub removed, acme changed\n" in _prepared_in(checkout).stdout
    assert {file.name: file.read_text() for file in taken_over.iterdir()} == {
        "acme.yml": f"# changed\n{small}"
    }
    # The orchestrator is another user.
    assert [oct(file.stat().st_mode & 0o777) for file in (taken_over, taken_over / "acme.yml")] == [
        "0o755", "0o444",
    ]  # fmt: skip


def test_what_the_orchestrator_could_not_read_is_refused_before_anything_is_written(tmp_path: Path):
    checkout = _checkout(tmp_path, built=True)
    manifest = checkout / "collectors" / "manifests" / "web.yml"
    manifest.chmod(0o640)
    (checkout / "templates").chmod(0o700)
    done = _prepared_in(checkout)
    assert (done.returncode, f"{checkout / 'templates'}: the orchestrator" in done.stderr) == (1, True)
    assert not (tmp_path / "state").exists()
    subprocess.run(done.stderr.rpartition("; ")[2].split(), check=True)
    assert _prepared_in(checkout).returncode == 0


def test_an_imported_network_whose_images_the_allowlist_lacks_is_refused_before_anything_is_written(
    tmp_path: Path,
):
    checkout = _checkout(tmp_path, built=True)
    templates = _templates_of_networks(checkout)
    small = (DEPLOY.parent / "templates" / "small.yml").read_text()
    (templates / "acme.yml").write_text(small)
    assert _prepared_in(checkout).returncode == 0
    config = tmp_path / "state" / "config"
    before = (config / "allowlist.json").stat().st_mtime_ns

    image = "discovery/test-stand-in:301a17b16d2db8c8"
    (templates / "pinehub.yml").write_text(small.replace("discovery/test-redis:8.0", image))
    done = _prepared_in(checkout)
    assert done.returncode == 1
    for said in ("templates/pinehub.yml:", image, "import that network again", "network remove NAME"):
        assert said in done.stderr
    assert [file.name for file in (config / "replicas").iterdir()] == ["acme.yml"]
    assert (config / "allowlist.json").stat().st_mtime_ns == before


def test_an_imported_network_named_as_a_template_of_the_project_is_refused_before_anything_is_written(
    tmp_path: Path,
):
    checkout = _checkout(tmp_path, built=True)
    templates = _templates_of_networks(checkout)
    shutil.copy(DEPLOY.parent / "templates" / "large.yml", templates / "large.yml")
    done = _prepared_in(checkout)
    assert done.returncode == 1
    for said in (str(templates / "large.yml"), str(checkout / "templates" / "large.yml"), "another name"):
        assert said in done.stderr
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize(
    ("name", "make", "what"),
    [
        ("replicas/acme.yml", Path.mkdir, "is a folder"),
        ("replicas/acme.yml", os.mkfifo, "is not a regular file"),
        ("replicas/acme.yml", partial(os.symlink, "gone.yml"), "is a symbolic link"),
        ("replicas/.acme.yml.draft", Path.mkdir, "is a folder"),
        ("replicas", Path.touch, "is not a folder"),
        ("replicas", partial(os.symlink, "gone"), "is a symbolic link"),
    ],
)
def test_what_stands_in_the_way_of_imported_networks_is_refused_before_anything_is_written(
    tmp_path: Path, name: str, make: Callable[[Path], None], what: str
):
    config = tmp_path / "state" / "config"
    (config / name).parent.mkdir(parents=True)
    make(config / name)
    done = prepared(tmp_path)
    assert done.returncode == 1
    for said in (f"{config / name} {what}", "templates of imported networks", f"remove {config / name}"):
        assert said in done.stderr
    assert {*config.rglob("*")} == {config / "replicas", config / name}
    assert not (tmp_path / "state" / "secrets").exists()
    assert not (tmp_path / "env").exists()


def test_only_imported_networks_are_reported_as_removed(tmp_path: Path):
    taken_over = tmp_path / "state" / "config" / "replicas"
    taken_over.mkdir(parents=True)
    for name in (".pinehub.yml.draft", "acme.yml", "notes.txt"):
        (taken_over / name).touch()
    said = [line for line in prepared(tmp_path).stdout.splitlines() if "imported networks" in line]
    assert said == ["prepare: templates of imported networks: acme removed"]
    assert [file.name for file in taken_over.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("name", "make", "what"),
    [
        ("guard-policy.json", os.mkfifo, "is not a regular file"),
        ("guard-policy.json", Path.mkdir, "is a folder"),
        ("allowlist.json", Path.mkdir, "is a folder"),
    ],
)
def test_what_stands_in_the_way_of_the_guards_files_is_refused_before_anything_is_written(
    tmp_path: Path, name: str, make: Callable[[Path], None], what: str
):
    config = tmp_path / "state" / "config"
    config.mkdir(parents=True)
    make(config / name)
    done = prepared(tmp_path)
    assert (done.returncode, f"{config / name} {what}, and the guard reads a file" in done.stderr) == (
        1,
        True,
    )
    assert [*config.iterdir()] == [config / name]
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_key_in_the_temporary_folder(tmp_path: Path, number: signal.Signals):
    program, begun, temporary = tmp_path / "bin" / "openssl", tmp_path / "begun", tmp_path / "temporary"
    temporary.mkdir()
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        f"case \" $* \" in *' -CA '*) echo $$ >{begun}.new; mv {begun}.new {begun}; exec sleep 60;; esac\n"
        f'exec {shutil.which("openssl")} "$@"\n'
    )
    program.chmod(0o755)
    running = subprocess.Popen(
        # Whoever runs the tests may have them ignore SIGHUP (nohup) or SIGINT (a shell's background).
        [
            *("env", "--default-signal=HUP,INT,TERM", DEPLOY / "prepare", "without-dryrun"),
            *("--state", tmp_path / "state", "--env", tmp_path / "env"),
        ],
        env=own_environment() | {"PATH": f"{program.parent}:{os.environ['PATH']}", "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        until = time.monotonic() + 30
        while not begun.exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        assert list(temporary.rglob("ca/key.pem")) != []
        running.send_signal(number)
        assert running.wait(10) == 128 + number
        assert list(temporary.rglob("key.pem")) == []
    finally:
        running.kill()
        os.kill(int(begun.read_text()), signal.SIGKILL)
        _, said = running.communicate()
    assert said == b""


def test_certificates_of_which_one_could_not_be_written_are_made_again(tmp_path: Path):
    folder = tmp_path / "state" / "secrets"
    parts = [f"guard_tls_{name}" for name in ("ca", "server_cert", "server_key", "client_cert", "client_key")]
    for name in parts:
        (folder / name).mkdir(parents=True)
        assert prepared(tmp_path, "without-dryrun").returncode == 1
        (folder / name).rmdir()
        prepare(tmp_path, "without-dryrun")
        assert [each for each in parts if not (folder / each).is_file()] == []
        for each in parts:
            (folder / each).unlink()


def _templates_of_networks(checkout: Path) -> Path:
    """Return the folder, made just now, in which imports install templates."""
    templates = checkout / ".dryrun" / "replicas" / "templates"
    templates.mkdir(parents=True)
    return templates


def _checkout(place: Path, *, built: bool = False) -> Path:
    """Return a checkout, with the images' allowlist if it has `built` them."""
    checkout = place / "checkout"
    shutil.copytree(DEPLOY, checkout / "deploy", ignore=shutil.ignore_patterns("state", ".env"))
    (checkout / ".venv").symlink_to(DEPLOY.parent / ".venv")
    (checkout / ".dryrun").mkdir()
    for name in ("templates", "collectors/manifests"):
        shutil.copytree(DEPLOY.parent / name, checkout / name)
    if built:
        shutil.copy(DEPLOY.parent / ".dryrun" / "allowlist.json", checkout / ".dryrun")
    return checkout


def _prepared_in(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    place = checkout.parent
    program = [checkout / "deploy" / "prepare", "--env", place / "env", "--state", place / "state"]
    return subprocess.run(
        [*program, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=own_environment(),
    )
