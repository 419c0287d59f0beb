"""What deploy/prepare refuses or names of the settings, of files of Compose and of the policy."""

import json
from pathlib import Path
from typing import Any

import pytest
from deployment import DEPLOY
from preparing import prepare, prepared

from docker_guard.rules.policy import Policy
from dryrun_orchestrator.settings import Settings

# It needs the images' allowlist, but no engine of a worker.
pytestmark = [pytest.mark.engine, pytest.mark.apart]


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


@pytest.mark.parametrize(
    ("pool", "policy", "named"),
    [
        ("10.213.0.0/17", "10.213.0.0/16", []),
        ("10.213.0.0/16", "10.213.0.0/17", ["guard-policy.json"]),
        ("10.213.128.0/17", "10.213.0.0/17", ["guard-policy.json"]),
        ("172.20.0.0/16", None, ["guard-policy.json", "rule.nft"]),
        ("172.20.0.0/16", "172.20.0.0/16", ["rule.nft"]),
    ],
)
def test_names_where_the_pool_of_subnets_is_another_one(
    tmp_path: Path, pool: str, policy: str | None, named: list[str]
):
    prepare(tmp_path)
    with (tmp_path / "env").open("a") as env:
        env.write(f"DRYRUN_SUBNET_POOL={pool}\n")
    file = tmp_path / "state" / "config" / "guard-policy.json"
    written = json.loads(file.read_text()) | {"subnet_pool": policy}
    file.chmod(0o644)
    file.write_text(json.dumps({name: value for name, value in written.items() if value}, indent=2))
    done = prepared(tmp_path)
    lines = done.stderr.splitlines()
    assert [name for name in ("guard-policy.json", "rule.nft") if f"/{name}: it is" in done.stderr] == named
    assert all(f"DRYRUN_SUBNET_POOL in {tmp_path / 'env'} is {pool}" in line for line in lines)
    assert len(lines) == len(named)
    last = {0: "ready", 1: "do what the line above names", 2: "do what the 2 lines above name"}[len(named)]
    assert last in done.stdout.splitlines()[-1]


def test_names_each_variable_that_compose_does_not_use_with_the_nearest_that_it_does(tmp_path: Path):
    prepare(tmp_path)
    with (tmp_path / "env").open("a") as env:
        env.write("ORCHESTRATOR_SESIONS_AT_ONCE=4\nAPPROVAL_KEEP_SESSIONS_DAYS=30\nDRYRUN_PUBLIHS=1\n")
        env.write("COMPOSE_PROJECT_NAME=other\nDELIVERY_SMTP=mail.lan:587\nTECNATIVA_IMAGE=x\n")
    lines = prepare(tmp_path).splitlines()
    assert len(lines) == 3
    for name, nearest in (
        ("APPROVAL_KEEP_SESSIONS_DAYS", None),
        ("DRYRUN_PUBLIHS", "DRYRUN_PUBLISH"),
        ("ORCHESTRATOR_SESIONS_AT_ONCE", "ORCHESTRATOR_SESSIONS_AT_ONCE"),
    ):
        (line,) = (each for each in lines if f"check {name} in" in each)
        assert "belongs in compose.override.yaml" in line
        assert (f"did you mean {nearest}?" in line) if nearest else ("did you mean" not in line)


@pytest.mark.parametrize(
    "line",
    [
        "DRYRUN_BRIDGES=lab",
        "export DRYRUN_BRIDGES = 'drs2'",
        "DRYRUN_OUTSIDE_BRIDGE=br-out",
        "DRYRUN_BRIDGES_SUFFIX=second",
    ],
)
def test_refuses_names_of_bridges_that_the_host_rule_does_not_go_by(tmp_path: Path, line: str):
    (tmp_path / "env").write_text(f"{line}\n")
    done = prepared(tmp_path)
    assert done.returncode == 1
    name, value = line.removeprefix("export ").replace(" ", "").replace("'", "").split("=")
    assert f"{name}={value} in {tmp_path / 'env'}" in done.stderr
    assert "up to four letters and digits" in done.stderr
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (b"\xef\xbb\xbfDRYRUN_BRIDGES_SUFFIX=x\n", "byte order mark"),
        ("DRYRUN_PREFIX=10.212.7\n".encode("utf-16"), "save it as UTF-8"),
        (b"DRYRUN_PREFIX=10.212.7\0\n", "save it as UTF-8"),
        (b"export  export DRYRUN_PREFIX=10.212.7\n", "line 1: key cannot contain a space"),
        (b"COMPOSE_FILE=compose.yaml:fleet/compose.control.yaml\nFLEET_BRIDGES=br\n", "FLEET_BRIDGES=br"),
        (b"DRYRUN_BRIDGES_SUFFIX=-\n", "DRYRUN_BRIDGES_SUFFIX=-"),
        (b"DRYRUN_BRIDGES_SUFFIX=_\n", "DRYRUN_BRIDGES_SUFFIX=_"),
        (b"DRYRUN_PREFIX=127.0.0\n", "DRYRUN_PREFIX=127.0.0"),
        (b"DRYRUN_PREFIX=224.0.0\n", "DRYRUN_PREFIX=224.0.0"),
        (b"DRYRUN_PREFIX=10.213.7\n", "not in DRYRUN_SUBNET_POOL, 10.213.0.0/16"),
        (b"DRYRUN_SUBNET_POOL=10.213.0.1/16\n", "DRYRUN_SUBNET_POOL: 10.213.0.1/16 has host bits"),
        (b"DRYRUN_SUBNET_POOL=10.213.0.0/08\n", "DRYRUN_SUBNET_POOL: 10.213.0.0/08 has host bits"),
        (b"DRYRUN_SUBNET_POOL=10.213.0.0/28\n", "DRYRUN_SUBNET_POOL: 10.213.0.0/28 is smaller"),
        (b"DRYRUN_SUBNET_POOL=8.8.8.0/24\n", "DRYRUN_SUBNET_POOL: 8.8.8.0/24 is not private"),
        (b"DRYRUN_SUBNET_POOL=127.0.0.0/8\n", "DRYRUN_SUBNET_POOL=127.0.0.0/8"),
        (
            b"ORCHESTRATOR_SESSIONS_AT_ONCE=abc\n",
            "ORCHESTRATOR_SESSIONS_AT_ONCE: must be a whole number",
        ),
        (b"DRYRUN=maybe\nCOMPOSE_PROFILES=dryrun\n", "DRYRUN: must be 'on' or 'off'"),
        (b"DRYRUN_PUBLISH=nonsense\n", "Invalid hostPort: nonsense (DRYRUN_PUBLISH)\n"),
        (b"DRYRUN_PUBLISH=300.1.1.1:80\n", "300.1.1.1 (DRYRUN_PUBLISH)"),
        (b"DRYRUN_PUBLISH=a\nPASSWORD=river-a\nOTHER=cascade\n", "hostPort: a (DRYRUN_PUBLISH, PASSWORD)\n"),
        (b"DRYRUN_STATE=/var/lib/elsewhere\n", "/var/lib/elsewhere/secrets"),
        (b"APPROVAL_OIDC_ISSUER=https://login.example\n", "not set: APPROVAL_OIDC_CLIENT_ID"),
    ],
)
def test_what_a_service_compose_or_the_host_rule_does_not_take_is_refused_before_anything_is_written(
    tmp_path: Path, written: bytes, why: str
):
    (tmp_path / "env").write_bytes(written)
    done = prepared(tmp_path, "with-dryrun")
    assert (done.returncode, why in done.stderr) == (1, True), done.stderr
    assert str(tmp_path / "env") in done.stderr
    assert (tmp_path / "env").read_bytes() == written
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ('A=1\nSMTP="river horse\nOTHER=x\n', "line 4: unterminated quoted value (SMTP)"),
        ("SMTP='river horse\n", "line 2: unterminated quoted value (SMTP)"),
        ("SMTP=a${river horse}b\n", "Invalid template (SMTP)"),
        ("KEY=-----BEGIN KEY-----\nriver/horse==\n", "line 2: unexpected character"),
        ("A=1\nriver horse\n", "line 2: key cannot contain a space"),
    ],
)
def test_what_compose_cannot_read_is_named_by_its_variable_or_line_and_not_shown(
    tmp_path: Path, written: str, why: str
):
    (tmp_path / "env").write_text(written)
    done = prepared(tmp_path, "with-dryrun")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(f"cannot use {tmp_path / 'env'}: {why}\n")
    assert "river" not in done.stderr


def test_a_service_that_another_file_of_compose_takes_off_its_networks_is_refused(tmp_path: Path):
    more = tmp_path / "more.yaml"
    mirrored = "image: mirror.example/discovery/dryrun-orchestrator:1"
    more.write_text(
        f"services: {{dryrun-orchestrator: {{{mirrored}, network_mode: host, networks: !reset null}}}}\n"
    )
    done = prepared(tmp_path, COMPOSE_FILE=f"compose.yaml:{more}", COMPOSE_PROFILES="dryrun")
    assert (done.returncode, done.stdout) == (1, "")
    assert "gives dryrun-orchestrator the network_mode host" in done.stderr
    assert not (tmp_path / "state").exists()


def test_a_bridge_that_another_file_of_compose_names_is_refused(tmp_path: Path):
    prepare(tmp_path)
    options = '{driver_opts: {com.docker.network.bridge.name: "BRIDGE"}}'
    for network, bridge, stays in (
        ("data", "br-data", False),
        ("data", "dro-data", False),
        ("outside", "drs-outside", True),  # of no service here
        ("data", "drs-mine", True),
    ):
        (tmp_path / "more.yaml").write_text(f"networks: {{{network}: {options.replace('BRIDGE', bridge)}}}\n")
        done = prepared(tmp_path, COMPOSE_FILE=f"compose.yaml:{tmp_path / 'more.yaml'}")
        assert (done.returncode == 0) is stays
        assert (f"the network {network} has the bridge '{bridge}'" in done.stderr) is not stays


@pytest.mark.parametrize(
    ("service", "network", "refused"),
    [
        ("approval-api: {networks: {mine: {}}}", "{}", True),
        ("approval-api: {networks: {mine: {}}}", "{external: true}", False),
        ("prometheus: {build: ., networks: {mine: {}}}", "{}", False),
    ],
)
def test_a_network_without_such_a_bridge_is_refused_where_a_service_of_ours_is_on_it(
    tmp_path: Path, service: str, network: str, refused: bool
):
    (tmp_path / "more.yaml").write_text(f"services: {{{service}}}\nnetworks: {{mine: {network}}}\n")
    (tmp_path / "env").write_text(f"COMPOSE_FILE=compose.yaml:{tmp_path / 'more.yaml'}\n")
    done = prepared(tmp_path, "without-dryrun")
    assert ("the network mine has the bridge ''" in done.stderr) is refused
    assert done.returncode == refused


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"client_networks": ["110.212.255.62/32"]}, 'check "client_networks"'),
        ({"client_networks": ["10.212.255.62/32", "10.0.0.0/8"]}, None),
        ({"sessions": 2}, 'check "sessions"'),
        ({"seccomp": "engine"}, 'write "seccomp": "narrow" into'),
        ({"sessions": 0}, "the guard does not start with it"),
        ({"session": 9}, "did you mean sessions?"),
    ],
)
def test_a_policy_is_read_as_the_guard_does(tmp_path: Path, change: dict[str, Any], says: str | None):
    prepare(tmp_path)
    file = tmp_path / "state" / "config" / "guard-policy.json"
    written = json.loads(file.read_text()) | change
    file.chmod(0o644)
    file.write_text(json.dumps(written, separators=(" ,", " : ")))
    found = prepare(tmp_path)
    assert (found == "") if says is None else (says in found and str(file) in found)


def test_a_field_that_an_earlier_guard_does_not_know_is_for_the_new_one(tmp_path: Path):
    prepare(tmp_path)
    file = tmp_path / "state" / "config" / "guard-policy.json"
    written = json.loads(file.read_text())
    del written["seccomp"]
    file.chmod(0o644)
    file.write_text(json.dumps(written))
    found = prepare(tmp_path)
    assert "--force-recreate docker-proxy" in found
    assert "restart docker-proxy" not in found


def test_a_variable_that_nothing_uses_is_not_taken_for_a_word_of_a_command(tmp_path: Path):
    (tmp_path / "env").write_text("CMD=1\nA=1\nDRYRUN_BRIDGES=drs\n")
    lines = prepare(tmp_path).splitlines()
    assert [line.split()[3] for line in lines] == ["A", "CMD", "DRYRUN_BRIDGES"]
    assert all("compose.yaml does not use it; Remove it" in line for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        "services: {other: {image: other}}",
        "networks: {other: {}}",
        "secrets: {database_app_url: !override {environment: URL}}",
    ],
)
def test_files_of_compose_without_the_secrets_are_refused_before_anything_is_written(
    tmp_path: Path, text: str
):
    (tmp_path / "more.yaml").write_text(f"{text}\n")
    files = f"{DEPLOY / 'compose.yaml'}:" if "!override" in text else ""
    (tmp_path / "env").write_text(f"COMPOSE_FILE={files}{tmp_path / 'more.yaml'}\n")
    done = prepared(tmp_path)
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["prepare"]
    assert f"COMPOSE_FILE={files}{tmp_path / 'more.yaml'}" in done.stderr
    assert not (tmp_path / "state").exists()


def test_a_policy_that_is_no_text_is_named_like_any_other_faulty_one(tmp_path: Path):
    prepare(tmp_path)
    policy = tmp_path / "state" / "config" / "guard-policy.json"
    policy.chmod(0o644)
    policy.write_bytes(b"\xff")
    (line,) = prepare(tmp_path).splitlines()
    assert (str(policy) in line, "the guard does not start with it" in line) == (True, True)
