"""What deploy/prepare writes fits the services' defaults."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from deployment import DEPLOY
from small_disk import filled, small_disk

from approval_api.deliveries.sending.settings import DeliverySettings
from approval_api.egress.hosts import HostList
from docker_guard.policy import Policy
from dryrun_orchestrator.settings import Settings

RUNBOOK = DEPLOY.parent / "docs" / "operations.md"

# It needs the images' allowlist, but no engine of a worker.
pytestmark = [pytest.mark.engine, pytest.mark.apart]


def prepare(place: Path, *arguments: str) -> str:
    """Return what it warns of."""
    done = prepared(place, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stderr


def prepared(place: Path, *arguments: str, **shell: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [DEPLOY / "prepare", "--state", place / "state", "--env", place / "env", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=own_environment() | shell,
    )


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


FOREIGN = (
    "DRYRUN",
    "COMPOSE_",
    "DELIVERY_",
    "APPROVAL_",
    "ORCHESTRATOR_",
    "FLEET_",
    "TECNATIVA_",
    "DOCKER_GID",
)
"""What a developer has set for a deployment of their own."""


def own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def composed(place: Path) -> dict[str, Any]:
    """Return the services that Compose would run."""
    services: dict[str, Any] = configured(place)["services"]
    return services


def configured(place: Path, *files: str) -> dict[str, Any]:
    """Return what Compose makes of its file and these on top of it."""
    named = [part for file in ("compose.yaml", *files) for part in ("--file", DEPLOY / file)]
    done = subprocess.run(
        ["docker", "compose", "--env-file", place / "env", *named, "config", "--format=json"],
        check=True, capture_output=True, text=True, timeout=60,
        env=own_environment(),
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_upgrade_replaces_the_reader_of_events_before_who_writes_them(tmp_path: Path):
    prepare(tmp_path, "with-dryrun")
    before = composed(tmp_path)["dryrun-orchestrator"]["depends_on"]["approval-api"]
    # Not once it is healthy: its health depends on the orchestrator.
    assert before["condition"] == "service_started"


def test_tracing_adds_a_closed_network_of_two_services_and_nothing_else(tmp_path: Path):
    prepare(tmp_path, "with-dryrun")
    plain, traced = configured(tmp_path), configured(tmp_path, "compose.tracing.yaml")
    network = traced["networks"].pop("traces")
    assert network["internal"]
    assert network["driver_opts"]["com.docker.network.bridge.name"].startswith("drs-")
    for service in ("approval-api", "dryrun-orchestrator"):
        del traced["services"][service]["networks"]["traces"]
        name = next(each for each in traced["services"][service]["environment"] if "OTLP" in each)
        assert traced["services"][service]["environment"].pop(name) == "http://otel-collector:4318"
    # Nothing is traced without it, and the guard has no part in it.
    assert traced == plain


@pytest.mark.parametrize("kind", ["with-dryrun", "without-dryrun"])
def test_the_service_that_sends_runs_only_where_hosts_are_listed(tmp_path: Path, kind: str):
    prepare(tmp_path, kind)
    without = composed(tmp_path)
    assert not [name for name, service in without.items() if "outside" in service["networks"]]
    hosts = "hooks.example.com, http://netbox.lan:8000=10.1.2.0/24+10.1.3.0/24"
    for _ in range(2):
        prepare(tmp_path, "--deliver-to", hosts, kind)
    services = composed(tmp_path)
    assert services.keys() == without.keys() | {"approval-delivery"}
    given = services["approval-delivery"]["environment"]
    assert HostList.parse(given["DELIVERY_HOSTS"]).places.keys() == HostList.parse(hosts).places.keys()
    assert given["DELIVERY_PUBLIC_URL"] == "http://127.0.0.1:8470"
    assert "ports" not in services["approval-delivery"]
    prepare(tmp_path, "--public-url", "https://approval.example", "--deliver-to", "other.example", kind)
    given = composed(tmp_path)["approval-delivery"]["environment"]
    assert (given["DELIVERY_HOSTS"], given["DELIVERY_PUBLIC_URL"]) == (
        "other.example",
        "https://approval.example",
    )
    for _ in range(2):
        prepare(tmp_path, "--deliver-to", "", kind)
    assert composed(tmp_path).keys() == without.keys()
    assert "other.example" not in (tmp_path / "env").read_text()


def test_what_the_service_that_sends_is_given_are_its_settings(tmp_path: Path):
    prepare(tmp_path, "--deliver-to", "hooks.example.com")
    service = composed(tmp_path)["approval-delivery"]
    files = {
        f"/run/secrets/{secret.get('target', secret['source']).rpartition('/')[2]}": secret["source"]
        for secret in service["secrets"]
    }
    environment = {
        name: str(tmp_path / "state" / "secrets" / files[value]) if value in files else value
        for name, value in service["environment"].items()
        if value is not None
    }
    assert {str(tmp_path / "state" / "secrets" / each) for each in files.values()} <= set(
        environment.values()
    )
    settings = DeliverySettings.read(environment)
    assert settings.credentials == {}
    assert "approval_delivery:" in settings.database_url.get_secret_value()
    assert settings.ca is not None
    (tmp_path / "state" / "secrets" / "delivery_credentials").chmod(0o644)
    (tmp_path / "state" / "secrets" / "delivery_credentials").write_text(
        "hook@hooks.example.com=whsec_YQ==\n"
    )
    prepare(tmp_path)
    assert DeliverySettings.read(environment).credentials.keys() == {"hook"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--prefix", "300.1"), "DRYRUN_PREFIX=300.1 in {env}: write the first three numbers"),
        (("--prefix", "10.212.256"), "DRYRUN_PREFIX=10.212.256 in {env}: write the first three numbers"),
        (("--public-url", "approval.example"), "APPROVAL_PUBLIC_URL: Input should be a valid URL"),
        (("--public-url", "https://approval example"), "APPROVAL_PUBLIC_URL: Input should be a valid URL"),
        (("--public-url", "it's"), "docker compose cannot use {env}"),
        (("--deliver-to", "https://hooks example"), "DELIVERY_HOSTS: 'https://hooks example'"),
        (("--deliver-to", "a.example, http://b.example"), "DELIVERY_HOSTS: 'http://b.example'"),
        (("--deliver-to", "a.example/path"), "DELIVERY_HOSTS: 'a.example/path'"),
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


def test_a_new_policy_has_the_pool_of_the_settings(tmp_path: Path):
    (tmp_path / "env").write_text('DRYRUN_SUBNET_POOL="10.213.64.0/18"\n')
    assert prepare(tmp_path) == ""
    policy = Policy.load(tmp_path / "state" / "config" / "guard-policy.json")
    assert str(policy.subnet_pool) == "10.213.64.0/18"


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


def test_every_bridge_is_one_of_the_host_rules_whatever_the_settings_are(tmp_path: Path):
    prepare(tmp_path, "--deliver-to", "hooks.example.com")
    with (tmp_path / "env").open("a") as env:
        env.write("DRYRUN_BRIDGES=lab\nDRYRUN_OUTSIDE_BRIDGE=br-out\nDRYRUN_BRIDGES_SUFFIX=_lab\n")
    networks = configured(tmp_path, "compose.tracing.yaml")["networks"]
    named = {name: each["driver_opts"]["com.docker.network.bridge.name"] for name, each in networks.items()}
    assert named.pop("outside") == "dro_lab-outside"
    assert named == {name: f"drs_lab-{name}" for name in named}
    assert {"edge", "data", "control", "engine", "metrics", "traces"} == named.keys()
    # IFNAMSIZ of Linux, with its closing zero.
    assert all(len(name) < 16 for name in named.values())


@pytest.mark.parametrize("option", ["--state", "--env"])
def test_an_empty_path_is_refused_at_once(tmp_path: Path, option: str):
    done = prepared(tmp_path, option, "")
    assert (done.returncode, f"{option} needs a" in done.stderr) == (2, True)


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
            "ORCHESTRATOR_SESSIONS_AT_ONCE: Input should be a valid int",
        ),
        (b"DRYRUN=maybe\nCOMPOSE_PROFILES=dryrun\n", "DRYRUN: Input should be 'on' or 'off'"),
        (b"DRYRUN_PUBLISH=nonsense\n", "nonsense"),
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
    assert (done.returncode, f"{tmp_path / 'env'} is no file" in done.stderr) == (1, True)


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


def test_what_a_shell_has_set_is_judged_as_compose_would_take_it_and_named(tmp_path: Path):
    assert prepare(tmp_path) == ""
    done = prepared(tmp_path, DRYRUN_SUBNET_POOL="8.8.8.0/24")
    assert (done.returncode, "8.8.8.0/24 is not private" in done.stderr) == (1, True)
    done = prepared(
        tmp_path, DRYRUN_PUBLISH="127.0.0.1:8480", DRYRUN_PREFIX="10.212.255", DOCKER_HOST="unix:///x"
    )
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "DRYRUN_PUBLISH=127.0.0.1:8480 in this shell's environment comes before" in line


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


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"client_networks": ["110.212.255.62/32"]}, 'check "client_networks"'),
        ({"client_networks": ["10.212.255.62/32", "10.0.0.0/8"]}, None),
        ({"sessions": 2}, 'check "sessions"'),
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


def test_a_variable_that_nothing_uses_is_not_taken_for_a_word_of_a_command(tmp_path: Path):
    (tmp_path / "env").write_text("CMD=1\nA=1\nDRYRUN_BRIDGES=drs\n")
    lines = prepare(tmp_path).splitlines()
    assert [line.split()[2] for line in lines] == ["A", "CMD", "DRYRUN_BRIDGES"]
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


def test_a_policy_that_is_no_text_is_named_like_any_other_faulty_one(tmp_path: Path):
    prepare(tmp_path)
    policy = tmp_path / "state" / "config" / "guard-policy.json"
    policy.chmod(0o644)
    policy.write_bytes(b"\xff")
    (line,) = prepare(tmp_path).splitlines()
    assert (str(policy) in line, "the guard does not start with it" in line) == (True, True)


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


@pytest.mark.parametrize("allowlist", [None, "", '{"version": 1, "images": {', '{"images": {}}'])
def test_an_allowlist_that_is_missing_or_faulty_is_refused_before_anything_is_written(
    tmp_path: Path, allowlist: str | None
):
    checkout = tmp_path / "checkout"
    shutil.copytree(DEPLOY, checkout / "deploy", ignore=shutil.ignore_patterns("state", ".env"))
    (checkout / ".venv").symlink_to(DEPLOY.parent / ".venv")
    (checkout / ".dryrun").mkdir()
    if allowlist is not None:
        (checkout / ".dryrun" / "allowlist.json").write_text(allowlist)

    def run(command: str) -> "subprocess.CompletedProcess[str]":
        program = [checkout / "deploy" / "prepare", "--env", tmp_path / "env", "--state", tmp_path / "state"]
        return subprocess.run(
            [*program, command],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env=own_environment(),
        )

    done = run("with-dryrun")
    assert (done.returncode, "build the images" in done.stderr) == (1, True)
    assert str(checkout / ".dryrun" / "allowlist.json") in done.stderr
    assert not (tmp_path / "state").exists()
    assert not (tmp_path / "env").exists()
    assert run("without-dryrun").returncode == 0


def test_what_is_missing_of_docker_is_said(tmp_path: Path):
    (tmp_path / "bin").mkdir()
    for name in ("sh", "dirname"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    (tmp_path / "env").write_text("DRYRUN_PUBLISH=127.0.0.1:8480\n")
    done = prepared(tmp_path, PATH=str(tmp_path / "bin"))
    assert (done.returncode, "docker is missing" in done.stderr) == (1, True)
    assert prepared(tmp_path, "secrets", PATH=str(tmp_path / "bin")).returncode == 0


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
