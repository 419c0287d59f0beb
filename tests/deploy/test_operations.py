"""The operations of docs/operations.md: rotate, back up, restore, monitor, run without dry-runs."""

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
import yaml
from deployment import DEPLOY, Deployment, prepared, run, wait_for

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
METRIC = re.compile(r"\b((?:dryrun|docker_guard|approval)_[a-z_]+)\b")


def token_of(deployment: Deployment) -> str:
    return (deployment.state / "secrets" / "api_tokens").read_text().strip().partition(":")[2]


def ask(deployment: Deployment, path: str, token: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.get(f"{deployment.url}{path}", headers=headers, trust_env=False, timeout=20)


def follows(deployment: Deployment) -> bool:
    try:
        answer = httpx2.get(f"{deployment.url}/readyz", trust_env=False, timeout=20)
    except httpx2.HTTPError:
        return False
    return answer.status_code == httpx2.codes.OK and answer.json()["status"] == "ready"


def until_it_follows(deployment: Deployment) -> None:
    deadline = time.monotonic() + 60
    while not follows(deployment):
        assert time.monotonic() < deadline, deployment.logs()
        time.sleep(0.5)


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


def rows(deployment: Deployment, what: str, role: str = "owner") -> str:
    command = ["psql", "--host=/run/postgresql", f"--username={role}", "--dbname=dryrun", "--tuples-only"]
    return deployment.inside("postgres", *command, "--no-align", "--command", what)


def test_a_backup_is_restored_completely_and_half_of_one_changes_nothing(
    deployment: Deployment, folder: Path
):
    options = ["--project-name", deployment.project, "--env-file", str(deployment.env_file)]
    rows(deployment, "CREATE TABLE gateway.mark AS SELECT 'before' AS what")
    kept = folder / "kept.dump"
    containers = {name: deployment.inspect(name)["Id"] for name in ("approval-api", "approval-delivery")}
    run(str(DEPLOY / "backup"), str(kept), *options)
    assert kept.stat().st_mode & 0o077 == 0
    rows(deployment, "UPDATE gateway.mark SET what = 'after'")
    half = folder / "half.dump"
    half.write_bytes(kept.read_bytes()[: kept.stat().st_size // 2])
    with pytest.raises(AssertionError, match="was not restored, the database is unchanged"):
        run(str(DEPLOY / "restore"), str(half), *options, seconds=180)
    assert rows(deployment, "SELECT what FROM gateway.mark") == "after"
    stopped = datetime.now(UTC).isoformat()
    run(str(DEPLOY / "restore"), str(kept), *options, seconds=180)
    assert rows(deployment, "SELECT what FROM gateway.mark") == "before"
    until_it_follows(deployment)
    for name, container in containers.items():
        again = deployment.inspect(name)
        assert (again["Id"], again["State"]["Health"]["Status"]) == (container, "healthy")
        assert again["State"]["StartedAt"] > stopped, "it wrote nothing meanwhile"
    assert ask(deployment, "/api/v1/dryrun/sessions", token_of(deployment)).status_code == httpx2.codes.OK
    rows(deployment, "DROP TABLE gateway.mark")


OLDER_SCHEMA = """
import asyncio, os, pathlib, sys
from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from approval_api.database import migrations

def upgrade(connection):
    config = Config()
    config.set_main_option("script_location", str(pathlib.Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, sys.argv[1])

async def main():
    url = pathlib.Path(os.environ["APPROVAL_DATABASE_URL_FILE"]).read_text().strip()
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA gateway"))
        await connection.run_sync(upgrade)

asyncio.run(main())
"""


@pytest.mark.parametrize("revision", ["0001", "0011", "0017", "0025"])
def test_a_backup_of_an_older_release_is_restored_over_a_newer_schema_and_migrated(
    deployment: Deployment, folder: Path, revision: str
):
    options = ["--project-name", deployment.project, "--env-file", str(deployment.env_file)]
    current = folder / "current.dump"
    run(str(DEPLOY / "backup"), str(current), *options)
    newest = rows(deployment, "SELECT version_num FROM gateway.alembic_version")
    try:
        rows(deployment, "SET client_min_messages = warning; DROP SCHEMA gateway CASCADE")
        program = ["--entrypoint", "python3", "migrate", "-c", OLDER_SCHEMA, revision]
        deployment.compose("run", "--rm", "--no-deps", "--no-TTY", *program)
        older = folder / "older.dump"
        run(str(DEPLOY / "backup"), str(older), *options)
    finally:
        run(str(DEPLOY / "restore"), str(current), *options, seconds=180)
    try:
        rows(deployment, "CREATE VIEW gateway.newer AS SELECT id FROM gateway.dryrun_sessions")
        run(str(DEPLOY / "restore"), str(older), *options, seconds=180)
        assert rows(deployment, "SELECT version_num FROM gateway.alembic_version") == newest
        assert rows(deployment, "SELECT to_regclass('gateway.newer') IS NULL") == "t"
        until_it_follows(deployment)
        assert ask(deployment, "/api/v1/dryrun/sessions", token_of(deployment)).status_code == httpx2.codes.OK
    finally:
        run(str(DEPLOY / "restore"), str(current), *options, seconds=180)


def test_a_backup_of_a_newer_release_is_restored_and_says_what_to_install(
    deployment: Deployment, folder: Path
):
    options = ["--project-name", deployment.project, "--env-file", str(deployment.env_file)]
    current = folder / "current.dump"
    run(str(DEPLOY / "backup"), str(current), *options)
    rows(deployment, "UPDATE gateway.alembic_version SET version_num = '9999'")
    newer = folder / "newer.dump"
    run(str(DEPLOY / "backup"), str(newer), *options)
    try:
        with pytest.raises(AssertionError, match="If a newer release made the file, install that one"):
            run(str(DEPLOY / "restore"), str(newer), *options, seconds=180)
        assert rows(deployment, "SELECT version_num FROM gateway.alembic_version") == "9999"
    finally:
        run(str(DEPLOY / "restore"), str(current), *options, seconds=180)
    until_it_follows(deployment)


def test_a_restore_leaves_the_api_as_the_operator_set_it_up(deployment: Deployment, folder: Path):
    options = ["--project-name", deployment.project, "--env-file", str(deployment.env_file)]
    more = folder / "more.yaml"
    more.write_text(
        "services: {approval-api: {environment: {APPROVAL_LOG_LEVEL: WARNING}}}", encoding="utf-8"
    )
    replace(deployment, files=("compose.yaml", str(more))).up("approval-api")
    try:
        before = deployment.inspect("approval-api")["Id"]
        run(str(DEPLOY / "backup"), str(folder / "more.dump"), *options)
        run(str(DEPLOY / "restore"), str(folder / "more.dump"), *options, seconds=180)
        assert deployment.inspect("approval-api")["Id"] == before
    finally:
        deployment.up("approval-api")
    until_it_follows(deployment)


TAKES_OVER = """
CREATE FUNCTION gateway.taken(integer) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN EXECUTE $q$COPY (SELECT 1) TO PROGRAM 'touch /tmp/taken'$q$; RETURN true; END $$;
CREATE TABLE gateway.trap (a integer CHECK (gateway.taken(a)));
INSERT INTO gateway.trap VALUES (1);
ALTER FUNCTION gateway.taken OWNER TO owner;
ALTER TABLE gateway.trap OWNER TO owner
"""
"""A table whose rows, when they are put back, run a program as whoever puts them back."""


def test_a_backup_is_trusted_no_further_than_the_owner_of_the_schema(deployment: Deployment, folder: Path):
    options = ["--project-name", deployment.project, "--env-file", str(deployment.env_file)]
    rows(deployment, TAKES_OVER, "postgres")
    hostile = folder / "hostile.dump"
    run(str(DEPLOY / "backup"), str(hostile), *options)
    rows(deployment, "DROP TABLE gateway.trap; DROP FUNCTION gateway.taken")
    deployment.inside("postgres", "rm", "/tmp/taken")
    rows(deployment, "CREATE TABLE gateway.mark AS SELECT 'before' AS what")
    with pytest.raises(AssertionError, match="permission denied") as refused:
        run(str(DEPLOY / "restore"), str(hostile), *options, seconds=180)
    assert "the database is unchanged" in str(refused.value)
    assert deployment.inside("postgres", "sh", "-c", "ls /tmp/taken 2>/dev/null || echo nothing") == "nothing"
    assert rows(deployment, "SELECT what FROM gateway.mark") == "before"
    rows(deployment, "DROP TABLE gateway.mark")
    until_it_follows(deployment)


@pytest.fixture
def marked(deployment: Deployment, folder: Path) -> Iterator[tuple[str, ...]]:
    """A table that no backup has, and is there at the end; yield the options of deploy/restore."""
    rows(deployment, "CREATE TABLE gateway.mark AS SELECT 'kept' AS what")
    yield "--project-name", deployment.project, "--env-file", str(deployment.env_file)
    assert rows(deployment, "SELECT what FROM gateway.mark") == "kept"
    rows(deployment, "DROP TABLE gateway.mark")
    until_it_follows(deployment)


def dump(deployment: Deployment, file: Path, database: str, *options: str) -> None:
    """Write a dump to a file, as the owner of the schema."""
    dumping = ["pg_dump", "--host=/run/postgresql", "--username=owner", "--format=custom", *options, database]
    container = deployment.inspect("postgres")["Id"]
    with file.open("wb") as output:
        subprocess.run(["docker", "exec", container, *dumping], stdout=output, timeout=60, check=True)


@pytest.mark.parametrize("lacks", ["every table", "every row"])
def test_no_file_is_restored_that_lacks_the_schema_s_version(
    deployment: Deployment, folder: Path, marked: tuple[str, ...], lacks: str
):
    foreign = folder / "foreign.dump"
    if lacks == "every table":
        rows(deployment, "CREATE DATABASE foreign_one OWNER owner", "postgres")
        dump(deployment, foreign, "foreign_one")
        rows(deployment, "DROP DATABASE foreign_one", "postgres")
    else:
        dump(deployment, foreign, "dryrun", "--schema-only")
    with pytest.raises(AssertionError, match="the file is no backup of this system") as refused:
        run(str(DEPLOY / "restore"), str(foreign), *marked, seconds=180)
    assert "the database is unchanged" in str(refused.value)


def test_a_file_that_takes_the_end_of_its_transaction_for_data_is_not_called_restored(
    deployment: Deployment, folder: Path, marked: tuple[str, ...]
):
    # Among the last commands of a dump; the same length, since the format counts it.
    rows(
        deployment, "CREATE TABLE gateway.zzz (a text); GRANT DELETE, TRUNCATE ON gateway.zzz TO approval_app"
    )
    hostile = folder / "swallows.dump"
    dump(deployment, hostile, "dryrun")
    rows(deployment, "DROP TABLE gateway.zzz")
    last = b"GRANT DELETE,TRUNCATE ON TABLE gateway.zzz TO approval_app;"
    content = hostile.read_bytes()
    assert content.count(last) == 1
    hostile.write_bytes(content.replace(last, b"COPY gateway.zzz FROM stdin;".ljust(len(last))))
    with pytest.raises(AssertionError, match="was not restored, the database is unchanged"):
        run(str(DEPLOY / "restore"), str(hostile), *marked, seconds=180)


SLOW = """
CREATE FUNCTION gateway.slow(integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE TABLE gateway.slowly (a integer CHECK (gateway.slow(a)));
INSERT INTO gateway.slowly VALUES (1);
CREATE OR REPLACE FUNCTION gateway.slow(integer) RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(30); RETURN true; END'
"""
"""A table whose rows take their time when they are put back."""


def test_a_restore_that_is_killed_changes_nothing_and_starts_the_api_again(
    deployment: Deployment, folder: Path, marked: tuple[str, ...]
):
    rows(deployment, SLOW)
    slow = folder / "slow.dump"
    dump(deployment, slow, "dryrun")
    rows(deployment, "DROP TABLE gateway.slowly; DROP FUNCTION gateway.slow")
    restoring = subprocess.Popen(
        [str(DEPLOY / "restore"), str(slow), *marked], stderr=subprocess.PIPE, text=True
    )
    copying = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY gateway.slowly %'"
    wait_for(lambda: rows(deployment, copying, "postgres") == "1", 60, "it restores")
    restoring.terminate()
    said = restoring.communicate(timeout=25)[1]
    assert restoring.returncode == 1
    assert "was not restored, the database is unchanged" in said
    assert rows(deployment, copying, "postgres") == "0"
    assert deployment.inspect("approval-api")["State"]["Health"]["Status"] == "healthy"


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


PROMETHEUS = """
import urllib.request as r
for service in ("approval-api", "approval-delivery", "dryrun-orchestrator", "docker-proxy"):
    print(r.urlopen(f"http://{service}.metrics:9323/metrics", timeout=10).read().decode())
"""


def test_alerts_and_dashboard_ask_for_figures_that_the_services_have(deployment: Deployment):
    page = run(
        "docker", "run", "--rm", f"--network={deployment.project}_metrics", "--cap-drop=ALL",
        "--entrypoint=python3", "discovery/docker-guard:0.1.0", "-c", PROMETHEUS,
    )  # fmt: skip
    exported = set(METRIC.findall(page))
    rules = yaml.safe_load((DEPLOY / "monitoring" / "alerts.yml").read_text())
    expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    board = json.loads((DEPLOY / "monitoring" / "dashboard.json").read_text())
    targets = [
        target
        for panel in board["panels"]
        if panel["datasource"]["type"] != "tempo"  # it asks for spans
        for target in panel["targets"]
    ]
    expressions += [target["expr"] for target in targets]
    asked = {name for expression in expressions for name in METRIC.findall(expression)}
    assert asked - exported == set()


def test_every_alert_has_its_runbook():
    guide = (DEPLOY.parent / "docs" / "operations.md").read_text()
    anchors = {
        "#" + re.sub(r"[^a-z0-9 -]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", guide, re.MULTILINE)
    }
    rules = yaml.safe_load((DEPLOY / "monitoring" / "alerts.yml").read_text())
    named = {rule["annotations"]["runbook"] for group in rules["groups"] for rule in group["rules"]}
    assert named - anchors == set()


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
