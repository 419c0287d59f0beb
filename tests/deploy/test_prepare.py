"""What deploy/prepare writes fits the services' defaults."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from deployment import DEPLOY

from approval_api.deliveries.sending.settings import DeliverySettings
from approval_api.egress.hosts import HostList
from docker_guard.policy import Policy
from dryrun_orchestrator.settings import Settings

pytestmark = pytest.mark.skipif(
    not (DEPLOY.parent / ".dryrun" / "allowlist.json").is_file() or not Path("/var/run/docker.sock").exists(),
    reason="deploy/prepare copies the allowlist of built images and asks whose the engine's socket is",
)


def prepare(place: Path, *arguments: str) -> str:
    """Return what it warns of."""
    done = prepared(place, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stderr


def prepared(place: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [DEPLOY / "prepare", "--state", place / "state", "--env", place / "env", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
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


FOREIGN = ("DRYRUN", "COMPOSE_", "DELIVERY_", "APPROVAL_")
"""What a developer has set for a deployment of their own."""


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
        env={name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)},
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
        (("without-dryrun", "--deliver-to", "hooks.example.com"), "options go before it"),
        (("--public-url",), "--public-url needs a value"),
    ],
)
def test_an_option_that_would_have_no_effect_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], says: str
):
    done = prepared(tmp_path, *arguments)
    assert done.returncode == 1
    assert says in done.stderr
    assert not (tmp_path / "env").exists()


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
