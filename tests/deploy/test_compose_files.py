"""What Compose makes of the files here: services, their order, networks and settings."""

from pathlib import Path

import pytest
from preparing import composed, configured, prepare

from approval_api.deliveries.sending.settings import DeliverySettings
from approval_api.egress.hosts import HostList

# It needs the images' allowlist, but no engine of a worker.
pytestmark = [pytest.mark.engine, pytest.mark.apart]


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
