"""The operations of docs/operations.md but backups: rotate, monitor, run without dry-runs."""

import json
import re
import shlex
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
from answers import ask, rows, token_of, until_it_follows
from deployment import DEPLOY, Deployment, prepared, run

pytestmark = pytest.mark.deploy

RESTARTED = {
    "orchestrator_token": ("dryrun-orchestrator", "approval-api"),
    "database_app": ("postgres", "approval-api"),
    "database_owner": ("postgres", "migrate"),
    "database_delivery": ("postgres", "approval-delivery"),
    "api_tokens": ("approval-api",),
    "guard_tls": ("docker-proxy", "dryrun-orchestrator"),
}
"""For each secret the services that docs/operations.md has restarted, in this order."""
GUIDE = DEPLOY.parent / "docs" / "operations.md"


@pytest.mark.parametrize("secret", RESTARTED)
def test_after_rotation_the_old_secret_is_refused(deployment: Deployment, folder: Path, secret: str):
    files = sorted((deployment.state / "secrets").glob(f"{secret}*"))
    before = {file.name: file.read_text() for file in files}
    old_token = token_of(deployment)
    old = folder / f"before-{secret}"
    shutil.copytree(deployment.state / "secrets", old)
    deployment.prepare("rotate", secret)
    assert all(file.read_text() != before[file.name] for file in files)
    for service in RESTARTED[secret]:
        deployment.compose("up", "--detach", "--wait", "--no-deps", "--force-recreate", service, seconds=120,
                           check=service != "migrate")  # fmt: skip
    until_it_follows(deployment)
    assert ask(deployment, "/api/v1/dryrun/templates", token_of(deployment)).status_code == httpx2.codes.OK
    if secret == "api_tokens":
        refused = ask(deployment, "/api/v1/dryrun/templates", old_token)
        assert refused.status_code == httpx2.codes.UNAUTHORIZED
    elif secret.startswith("database_"):
        role = "owner" if secret == "database_owner" else f"approval_{secret.removeprefix('database_')}"
        assert logs_in(deployment, role, (deployment.state / "secrets" / f"{secret}_password").read_text())
        assert not logs_in(deployment, role, before[f"{secret}_password"])
    elif secret == "guard_tls":
        current = deployment.state / "secrets"
        assert asks_guard(deployment, current, current) == "200"
        assert asks_guard(deployment, current, old) == "refused"
        assert asks_guard(deployment, old, current) == "refused"
    else:
        assert asks_orchestrator(deployment, (deployment.state / "secrets" / secret).read_text()) == "200"
        assert asks_orchestrator(deployment, before[secret]) == "401"


def logs_in(deployment: Deployment, role: str, password: str) -> bool:
    """Over the network, as the API does: the way inside the container asks for no password."""
    program = (
        "import asyncio, asyncpg, sys\n"
        "async def main():\n"
        "    try:\n"
        "        await (await asyncpg.connect(host='postgres', database='dryrun', user=sys.argv[1],\n"
        "            password=sys.argv[2], timeout=10)).close()\n"
        "    except asyncpg.InvalidPasswordError:\n"
        "        print('refused')\n"
        "    else:\n"
        "        print('open')\n"
        "asyncio.run(main())\n"
    )
    said = deployment.inside("approval-api", "python3", "-c", program, role, password)
    assert said in {"open", "refused"}
    return said == "open"


def asks_orchestrator(deployment: Deployment, token: str) -> str:
    program = (
        "import sys, urllib.request as r, urllib.error as e\n"
        "request = r.Request('http://dryrun-orchestrator.control:8471/templates',\n"
        "    headers={'Authorization': 'Bearer ' + sys.argv[1]})\n"
        "try: print(r.urlopen(request, timeout=10).status)\n"
        "except e.HTTPError as error: print(error.code)\n"
    )
    return deployment.inside("approval-api", "python3", "-c", program, token)


def asks_guard(deployment: Deployment, trusting: Path, showing: Path) -> str:
    """Ask from the orchestrator's own address, with the CA and the certificate of two folders of secrets."""
    program = (
        "import os, ssl, sys, urllib.request as r\n"
        "files = []\n"
        "for text in sys.argv[1:]:\n"
        "    descriptor = os.memfd_create('pem'); os.write(descriptor, text.encode())\n"
        "    files.append(f'/proc/self/fd/{descriptor}')\n"
        "context = ssl.create_default_context(cafile=files[0])\n"
        "context.load_cert_chain(files[1], files[2])\n"
        "url = 'https://docker-proxy.engine:2376/_ping'\n"
        "try: print(r.urlopen(url, context=context, timeout=10).status)\n"
        "except OSError: print('refused')\n"
    )
    files = trusting / "guard_tls_ca", showing / "guard_tls_client_cert", showing / "guard_tls_client_key"
    texts = [file.read_text() for file in files]
    return deployment.inside("dryrun-orchestrator", "python3", "-c", program, *texts)


def command_lines(stop: threading.Event) -> Iterator[bytes]:
    """Return what every process of this host is given in its command line, again and again."""
    while not stop.is_set():
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                yield process.read_bytes()


def test_no_command_line_has_a_password(deployment: Deployment):
    files = (deployment.state / "secrets").glob("database_*_password")
    passwords = [file.read_bytes() for file in files]
    assert len(passwords) == 3
    stop = threading.Event()

    def watch() -> list[bytes]:
        return [line for line in command_lines(stop) if any(password in line for password in passwords)]

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            deployment.compose("up", "--detach", "--wait", "--no-deps", "--force-recreate", "postgres")
        finally:
            stop.set()
        assert watching.result() == []
    until_it_follows(deployment)


def test_the_application_cannot_change_the_audit_log_or_the_schema(deployment: Deployment):
    for statement in (
        "DELETE FROM gateway.audit_log",
        "DROP TABLE gateway.people",
        "CREATE TABLE gateway.x ()",
    ):
        with pytest.raises(AssertionError, match=r"permission denied|must be owner"):
            rows(deployment, f"SET ROLE approval_app; {statement}", "postgres")


def test_the_guides_command_prints_whether_the_orchestrator_is_ready(deployment: Deployment):
    (command,) = re.findall(
        r"^# docker compose exec (dryrun-orchestrator .+)$", GUIDE.read_text(), re.MULTILINE
    )
    service, *words = shlex.split(command)
    assert json.loads(deployment.inside(service, *words))["ready"] is True


def test_production_alone_has_no_orchestrator_and_no_socket_and_says_so(deployment: Deployment, folder: Path):
    place = folder / "production"
    place.mkdir()
    with prepared(place, dryrun=False) as production:
        production.up()
        assert set(production.compose("ps", "--services").split()) == {"postgres", "approval-api"}
        answer = ask(production, "/api/v1/dryrun/templates", token_of(production))
        assert answer.status_code == httpx2.codes.NOT_IMPLEMENTED
        assert "dry-run" in answer.json()["detail"].lower()
        for service in ("postgres", "approval-api"):
            assert not any(
                "docker.sock" in mount["Source"] for mount in production.inspect(service)["Mounts"]
            )
        label = f"label=com.docker.compose.project={production.project}"
    for kind in ("container", "network", "volume"):
        every = ["--all"] if kind == "container" else []
        assert run("docker", kind, "ls", *every, "--quiet", "--filter", label) == ""


def test_the_guides_command_removes_what_a_profile_started_that_is_off_by_now(tmp_path: Path):
    (command,) = re.findall(r"^# docker compose (.*down .*?) +#", GUIDE.read_text(), re.MULTILINE)
    with prepared(tmp_path, dryrun=False, options=("--deliver-to", "hooks.example.com")) as made:
        made.compose("up", "--no-start")
        made.prepare("--deliver-to", "", "without-dryrun")
        label = f"label=com.docker.compose.project={made.project}"
        left = [["container", "ls", "--all"], ["network", "ls"], ["volume", "ls"]]
        made.compose("down")
        try:
            assert len(run("docker", *left[0], "--quiet", "--filter", label).split()) == 1
        finally:
            made.compose(*shlex.split(command))
        assert [run("docker", *each, "--quiet", "--filter", label) for each in left] == ["", "", ""]


@pytest.mark.parametrize("files", [("compose.yaml",), ("compose.yaml", "compose.tecnativa.yaml")])
def test_nothing_is_ever_pulled(tmp_path: Path, files: tuple[str, ...]):
    env = tmp_path / "env"
    env.write_text("DOCKER_GID=0\n")
    options = [option for file in files for option in ("--file", str(DEPLOY / file))]
    output = run(
        "docker", "compose", *options, "--profile=*", "--env-file", str(env), "config", "--format=json"
    )
    services = json.loads(output)["services"]
    assert len(services) == 6
    assert {name: service.get("pull_policy") for name, service in services.items()} == dict.fromkeys(
        services, "never"
    )
    assert not any("build" in service for service in services.values())


def test_the_file_for_the_other_proxy_grants_what_the_record_grants(deployment: Deployment):
    files = [
        option for name in ("compose.yaml", "compose.tecnativa.yaml") for option in ("--file", DEPLOY / name)
    ]
    said = run(
        "docker",
        "compose",
        "--env-file",
        str(deployment.env_file),
        *map(str, files),
        "config",
        "--format=json",
    )
    proxy = json.loads(said)["services"]["docker-proxy"]
    record = {"CONTAINERS": "1", "IMAGES": "0", "NETWORKS": "1", "POST": "1", "DELETE": "1"}
    assert record.items() <= proxy["environment"].items()
    granted = {name for name, value in proxy["environment"].items() if value == "1"}
    assert granted <= {"CONTAINERS", "NETWORKS", "POST", "DELETE", "ALLOW_START", "LOGS"}
    assert [volume["source"] for volume in proxy["volumes"]] == ["/var/run/docker.sock"]
    assert not proxy.get("command")
    # It asks nobody who they are: only the orchestrator shares a network with it.
    services = json.loads(said)["services"]
    sharing = {name for name, service in services.items() if "engine" in service["networks"]}
    assert sharing == {"docker-proxy", "dryrun-orchestrator"}
    assert list(proxy["networks"]) == ["engine"]
    assert not proxy.get("secrets")
    assert services["dryrun-orchestrator"]["environment"]["DOCKER_TLS_VERIFY"] == ""
