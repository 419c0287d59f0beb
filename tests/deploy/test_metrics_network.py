"""A neighbour on the metrics' network, as the operator's Prometheus is one: figures, and nothing else."""

import json
from collections.abc import Iterator

import pytest
from deployment import METRICS_PORT, Deployment, Json, addresses, needs_root, reach_from, run
from test_reach import MEASURED, PLAIN_PORT, PORTS, SHUT

pytestmark = [pytest.mark.deploy, needs_root]

ROUTES = ("/", "/sessions", "/events", "/readyz", "/livez", "/_ping", "/api/v1/dryrun/templates", "/signin")
ASK = """
import json, sys, urllib.error as e, urllib.request as r
def status(url):
    try: return r.urlopen(url, timeout=5).status
    except e.HTTPError as error: return error.code
print(json.dumps([status(url) for url in json.loads(sys.argv[1])]))
"""


@pytest.fixture(scope="module")
def neighbour(deployment: Deployment) -> Iterator[Json]:
    """It has what a container has by default, NET_RAW included."""
    container = run(
        "docker", "run", "--detach", "--rm", f"--network={deployment.project}_metrics", "--user=0",
        "--entrypoint=sleep", "discovery/docker-guard:0.1.0", "600",
    )  # fmt: skip
    try:
        inspected: Json = json.loads(run("docker", "inspect", container))[0]
        yield inspected
    finally:
        run("docker", "rm", "--force", container)


def test_it_reaches_the_metrics_and_no_other_port(containers: dict[str, Json], neighbour: Json):
    ports = {*PORTS.values(), PLAIN_PORT, METRICS_PORT, 80, 443, 9324, 9325}
    wanted = [
        (name, address, port)
        for name in PORTS
        for address in addresses(containers[name])
        for port in sorted(ports)
    ]
    answers = reach_from(neighbour, [(address, port) for _, address, port in wanted])
    opened = {
        (name, port) for (name, _, port), answer in zip(wanted, answers, strict=True) if answer == "open"
    }
    assert opened == {(name, METRICS_PORT) for name in MEASURED}


def test_it_reaches_no_other_port_by_a_route_through_a_service_either(
    deployment: Deployment, containers: dict[str, Json], neighbour: Json
):
    """A container takes packets for any of its addresses; the engine drops them on an internal network."""
    inside = f"--net=/proc/{neighbour['State']['Pid']}/ns/net"
    wanted = []
    for name in sorted(MEASURED):
        networks = dict(containers[name]["NetworkSettings"]["Networks"])
        shared = networks.pop(f"{deployment.project}_metrics")["IPAddress"]
        for network in networks.values():
            run("nsenter", inside, "ip", "route", "replace", network["IPAddress"], "via", shared)
            wanted.append((network["IPAddress"], PORTS[name]))
    assert set(reach_from(neighbour, wanted)) <= SHUT


def test_there_it_gets_the_figures_and_no_other_route(neighbour: Json):
    places = [f"http://{name}.metrics:{METRICS_PORT}" for name in sorted(MEASURED)]
    wanted = [f"{place}{route}" for place in places for route in ("/metrics", *ROUTES)]
    answered = json.loads(run("docker", "exec", neighbour["Id"], "python3", "-c", ASK, json.dumps(wanted)))
    assert dict(zip(wanted, answered, strict=True)) == {
        url: 200 if url.endswith("/metrics") else 404 for url in wanted
    }


def test_the_published_port_has_no_metrics(deployment: Deployment):
    asked = run("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}",
                f"{deployment.url}/metrics")  # fmt: skip
    assert asked == "404"


def test_the_guard_takes_the_orchestrators_address_and_certificate_together(
    deployment: Deployment, containers: dict[str, Json]
):
    """A neighbour on the engine's network has neither; the orchestrator without its certificate has one."""
    policy = json.loads((deployment.state / "config" / "guard-policy.json").read_text())
    networks = containers["dryrun-orchestrator"]["NetworkSettings"]["Networks"]
    own = networks[f"{deployment.project}_engine"]["IPAddress"]
    assert policy["client_networks"] == [f"{own}/32"]
    shake = (
        "import socket, ssl\n"
        "context = ssl.create_default_context(); context.check_hostname = False\n"
        "context.verify_mode = ssl.CERT_NONE\n"
        "try:\n"
        "    plain = socket.create_connection(('docker-proxy.engine', 2376), 5)\n"
        "    with context.wrap_socket(plain) as s:\n"
        "        s.sendall(b'GET /_ping HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\n"
        "        print(s.recv(100) or 'refused without a word')\n"
        "except OSError as error: print('refused', type(error).__name__)\n"
    )
    answered = run(
        "docker", "run", "--rm", f"--network={deployment.project}_engine", "--entrypoint=python3",
        "discovery/docker-guard:0.1.0", "-c", shake,
    )  # fmt: skip
    assert answered.startswith("refused")
    assert deployment.inside("dryrun-orchestrator", "python3", "-c", shake).startswith("refused")
    log = deployment.compose("logs", "--no-color", "docker-proxy")
    decided = [json.loads(line.partition("| ")[2]) for line in log.splitlines() if '"refused"' in line]
    assert {line["rule"] for line in decided} == {"peer", "tls"}
