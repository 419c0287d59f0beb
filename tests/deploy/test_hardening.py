"""Each service runs with nothing that it does not need, read from the engine."""

import json

import pytest
from deployment import Deployment, Json, run

pytestmark = pytest.mark.deploy

SERVICES = ("postgres", "migrate", "approval-api", "approval-delivery", "dryrun-orchestrator", "docker-proxy")
OWN_MODULES = {
    "discovery/approval-api:0.1.0": {"approval_api", "dryrun_contract", "dryrun_serving"},
    "discovery/dryrun-orchestrator:0.1.0": {"dryrun_orchestrator", "dryrun_contract", "dryrun_serving"},
    "discovery/docker-guard:0.1.0": {"docker_guard"},
}
DOCKER_CLIENTS = {"aiohttp", "aiodocker", "docker"}
WEB_FRAMEWORKS = {"fastapi", "starlette", "uvicorn", "flask", "django", "jinja2"}
DATABASES = {"sqlalchemy", "asyncpg", "psycopg", "alembic", "pymongo", "redis"}
SCANNERS = {"lxml", "dns", "ldap3", "smbprotocol", "pysnmp"}
FOREIGN = {
    "discovery/approval-api:0.1.0": DOCKER_CLIENTS | SCANNERS,
    "discovery/dryrun-orchestrator:0.1.0": DATABASES | {"docker", "aiodocker", "jinja2", "ldap3"},
    "discovery/docker-guard:0.1.0": WEB_FRAMEWORKS | DATABASES | SCANNERS | {"yaml"},
}
PROJECT = {
    "approval_api", "docker_guard", "discovery_collectors", "dryrun_cli", "dryrun_contract", "dryrun_local",
    "dryrun_orchestrator", "dryrun_serving",
}  # fmt: skip
LISTING = "import pkgutil, json; print(json.dumps(sorted(m.name for m in pkgutil.iter_modules())))"


def test_all_services_are_there(containers):
    assert set(containers) == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_no_right_that_it_does_not_need(containers: dict[str, Json], service: str):
    seen = containers[service]
    host, config = seen["HostConfig"], seen["Config"]
    assert config["User"].split(":")[0] not in {"", "0", "root"}
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert not host["Privileged"]
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert 0 < host["PidsLimit"] <= 100
    assert host["NetworkMode"] not in {"host", "none"}
    assert host["PidMode"] == host["UTSMode"] == ""
    assert host["IpcMode"] == "private"
    assert host["LogConfig"]["Type"] == "json-file"
    assert {"max-size", "max-file"} <= host["LogConfig"]["Config"].keys()


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_proxy_sees_the_engines_socket(containers: dict[str, Json], service: str):
    mounts = [mount["Source"] for mount in containers[service]["Mounts"]]
    sockets = [source for source in mounts if source.endswith(".sock")]
    assert sockets == (["/var/run/docker.sock"] if service == "docker-proxy" else [])
    # Nor a folder that holds it.
    assert not {"/", "/run", "/var", "/var/run"} & set(mounts)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_given_its_own_secrets_and_no_value_of_one_in_its_environment(
    deployment: Deployment, containers: dict[str, Json], service: str
):
    given = {
        mount["Destination"].removeprefix("/run/secrets/")
        for mount in containers[service]["Mounts"]
        if mount["Destination"].startswith("/run/secrets/")
    }
    assert (
        given
        == {
            "postgres": {
                "database_owner_password",
                "database_app_password",
                "database_delivery_password",
            },
            "migrate": {"database_owner_url"},
            "approval-api": SECRETS_OF_THE_API,
            "approval-delivery": {
                "database_delivery_url",
                "delivery_credentials",
                "delivery_smtp_login",
                "authorities",
            },
            "dryrun-orchestrator": {
                "orchestrator_token",
                *(f"docker/{name}.pem" for name in ("ca", "cert", "key")),
            },
            "docker-proxy": {"guard_tls_ca", "guard_tls_server_cert", "guard_tls_server_key"},
        }[service]
    )
    environment = "\n".join(containers[service]["Config"]["Env"])
    for file in (deployment.state / "secrets").iterdir():
        for value in file.read_text().replace("/", ":").replace("@", ":").split(":"):
            assert len(value) < 20 or value not in environment


SECRETS_OF_THE_API = {
    "database_app_url",
    "orchestrator_token",
    "api_tokens",
    "oidc_client_secret",
    "oidc_authorities",
    "report_key",
}


@pytest.mark.parametrize("image", OWN_MODULES)
def test_an_image_holds_its_own_distribution_and_no_foreign_tool(deployment: Deployment, image: str):
    listed = run(
        "docker",
        "run",
        "--rm",
        "--network=none",
        "--cap-drop=ALL",
        "--entrypoint=python3",
        image,
        "-c",
        LISTING,
    )
    importable = set(json.loads(listed))
    assert importable & PROJECT == OWN_MODULES[image]
    assert importable & FOREIGN[image] == set()
    tools = run(
        "docker", "run", "--rm", "--network=none", "--cap-drop=ALL", "--entrypoint=sh", image, "-c",
        "for tool in nmap curl wget nc ssh docker pip psql gcc; do command -v $tool; done; true",
    )  # fmt: skip
    assert tools == ""
