"""The compose files of a manager, a worker and the control host, run behind the packet filter of a host."""

import http.client
import json
import os
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from deployment import Deployment, prepared
from fleet_host import run
from fleet_lab import LAYERS
from fleet_words import Words
from local_stack import ROOT

pytestmark = pytest.mark.engine

FLEET = ROOT / "deploy" / "fleet"
ADDRESSES = {"alpha": "10.213.254.1", "beta": "10.213.254.2"}


class Hosts:
    """Both on this engine, each at an address of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        pairs = [f"{name}={address}" for name, address in ADDRESSES.items()]
        run(FLEET / "certificates", folder / "certificates", *pairs)
        (folder / "config").mkdir()
        (folder / "config" / "allowlist.json").write_bytes((ROOT / ".dryrun" / "allowlist.json").read_bytes())

    def compose(self, name: str, *words: str) -> None:
        own = self.folder / "certificates" / name
        settings = {
            "FLEET_HOST": str(own),
            "FLEET_CONFIG": str(self.folder / "config"),
            "FLEET_BRIDGES": f"drf-{name[0]}",
            "DRYRUN_BRIDGES_SUFFIX": f"-{name[0]}",
            "DOCKER_GID": str(Path("/run/docker.sock").stat().st_gid),
        }
        subprocess.run(
            ["docker", "compose", f"--project-name={name}", f"--env-file={own / 'compose.env'}", *words],
            cwd=FLEET,
            env={**os.environ, **settings},
            check=True,
            timeout=120,
            capture_output=True,
        )

    def ask(self, name: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Ask a guard as the orchestrator does."""
        own = self.folder / "certificates" / "orchestrator"
        context = ssl.create_default_context(cafile=str(own / "ca.pem"))
        context.load_cert_chain(own / "cert.pem", own / "key.pem")
        connection = http.client.HTTPSConnection(ADDRESSES[name], 2376, timeout=20, context=context)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, f"/v1.45{path}", sent, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    if not LAYERS.is_dir():
        pytest.skip("needs an engine of its own: tests/support/with-own-engine .venv/bin/pytest …")
    if not run("docker", "image", "ls", "--quiet", "discovery/docker-guard:0.1.0"):
        pytest.skip("needs the guard's image: dryrun-local images services")
    made = Hosts(tmp_path_factory.mktemp("hosts"))
    for address in ADDRESSES.values():
        run("ip", "addr", "add", f"{address}/32", "dev", "lo")
    # Of an engine without one a manager's guard does not say what overlays there are not.
    here = ADDRESSES["alpha"]
    run("docker", "swarm", "init", "--advertise-addr", here, "--listen-addr", f"{here}:2377")
    rule = run(FLEET / "peers", *ADDRESSES.values())
    subprocess.run(["nft", "-f", "-"], input=rule, text=True, check=True, timeout=30)
    try:
        for name in ADDRESSES:
            made.compose(name, "up", "--detach", "--wait")
        yield made
    finally:
        for name in ADDRESSES:
            made.compose(name, "down", "--timeout=2")
        run("nft", "delete", "table", "inet", "dryrun_fleet")
        run("docker", "swarm", "leave", "--force")


def test_both_guards_answer_and_the_workers_asks_the_managers(hosts: Hosts) -> None:
    for name in ADDRESSES:
        status, said = hosts.ask(name, "GET", "/networks")
        assert (status, type(json.loads(said))) == (200, list), said
    words, create = Words(1), f"/containers/create?name=dryrun-{uuid4().hex[:12]}"
    body = words.container(5)
    # Only an answer of the manager's guard makes this a refusal; without one it is a 503.
    status, said = hosts.ask("beta", "POST", create, body)
    assert (status, f"there is no network {words.name}" in said) == (403, True), said
    hosts.compose("alpha", "stop", "--timeout=2")
    status, said = hosts.ask("beta", "POST", create, body)
    assert (status, "the guard of the fleet's manager" in said) == (503, True), said


def fleet_file() -> str:
    room = "memory_mib: 16384, cpus: 16, sessions: 4"
    return "managers: [alpha]\noverlay: encrypted\nhosts:\n" + "".join(
        f"  {name}: {{guard: 'tcp://{address}:2376', certificates: /run/secrets/fleet, {room}}}\n"
        for name, address in ADDRESSES.items()
    )


def answer(control: Deployment, method: str, path: str, body: Any = None) -> Any:
    token = (control.state / "secrets" / "api_tokens").read_text().strip().partition(":")[2]
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{control.url}/api/v1/dryrun/{path}"
    said = httpx2.request(method, url, json=body, headers=headers, trust_env=False, timeout=20)
    assert said.is_success, said.text
    return said.json()


@pytest.mark.skipif("DRYRUN_CONTROL_HOST" not in os.environ, reason="takes a minute; `make nightly` runs it")
def test_a_control_host_runs_sessions_through_the_guards_of_its_fleet(hosts: Hosts, tmp_path: Path) -> None:
    hosts.compose("alpha", "up", "--detach", "--wait")
    files = ("compose.yaml", "fleet/compose.control.yaml")
    with prepared(tmp_path, files=files) as control:
        (control.state / "config" / "fleet.yml").write_text(fleet_file())
        with control.env_file.open("a") as settings:
            settings.write(f"FLEET_ORCHESTRATOR={hosts.folder}/certificates/orchestrator\n")
            settings.write("FLEET_BRIDGES=drf-c\nFLEET_SESSIONS=8\n")
        control.up()
        fleet = answer(control, "GET", "hosts")
        assert {host["name"]: host["obstacle"] for host in fleet["hosts"]} == dict.fromkeys(ADDRESSES), fleet
        started = answer(control, "POST", "sessions", {"template": "small"})
        session, end = f"sessions/{started['id']}", time.monotonic() + 120
        while (view := answer(control, "GET", session))["phase"] != "ended":
            assert time.monotonic() < end, view
            time.sleep(0.5)
        assert (view["outcome"], view["reason"]) == ("completed", None)
