"""The attack table: from inside each container nothing answers but what the design's table allows."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from deployment import METRICS_PORT, Deployment, Json, addresses, needs_root, reach_from, run, wait_for

pytestmark = [pytest.mark.deploy, needs_root]

PORTS = {
    "postgres": 5432,
    "approval-api": 8470,
    "approval-delivery": METRICS_PORT,
    "dryrun-orchestrator": 8471,
    "docker-proxy": 2376,
}
PLAIN_PORT = 2375
"""Where Docker speaks without TLS: nothing is there."""
ALLOWED = {
    "postgres": set(),
    "approval-api": {"postgres", "dryrun-orchestrator"},
    "approval-delivery": {"postgres"},
    "dryrun-orchestrator": {"docker-proxy"},
    "docker-proxy": set(),
}
"""Who may reach whom, the design's table. Arrows point one way, also where two share a network."""
MEASURED = {"approval-api", "approval-delivery", "dryrun-orchestrator", "docker-proxy"}
"""Who is on the metrics' network: each sees the others' figures there."""
SHUT = {"no answer", "no route"}
OUTSIDE_SUBNET = "10.213.111.0/29"
OUTSIDE_IMAGE = "discovery/docker-guard:0.1.0"
LISTEN = "import socket, time; s = socket.create_server(('', 8080)); time.sleep(600)"


@pytest.fixture(scope="module", autouse=True)
def nobody_beyond_answers_for_them(networks: dict[str, Json]) -> Iterator[None]:
    """Keep on this host what is for a network that it has no route to, as the internal ones are.

    A router beyond may answer in place of any address, which would look like a service from `outside`.
    """
    subnets = [
        config["Subnet"]
        for network in networks.values()
        if network["Internal"]
        for config in network["IPAM"]["Config"]
    ]
    try:
        for subnet in subnets:
            run("ip", "route", "add", "blackhole", subnet)
        yield
    finally:
        for subnet in subnets:
            subprocess.run(["ip", "route", "delete", "blackhole", subnet], check=False, timeout=30)


@pytest.fixture(scope="module")
def host_port() -> Iterator[int]:
    """A service of the host on all of its addresses, IPv4 and IPv6."""
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)

    def accept() -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    thread = threading.Thread(target=accept)
    thread.start()
    with closing(listener):
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.fixture(scope="module")
def elsewhere(deployment: Deployment) -> Iterator[str]:
    """A machine on another network of this engine, as the way to the world is."""
    name = f"{deployment.project}-elsewhere"
    run("docker", "network", "create", "--subnet", OUTSIDE_SUBNET, name)
    try:
        container = run(
            "docker", "run", "--detach", "--rm", "--network", name, "--cap-drop=ALL", "--entrypoint=python3",
            OUTSIDE_IMAGE, "-c", LISTEN,
        )  # fmt: skip
        try:
            inspected: Json = json.loads(run("docker", "inspect", container))[0]
            address = addresses(inspected)[0]
            wait_for(lambda: _answers(address, 8080), 30, f"{address} listens")
            yield address
        finally:
            run("docker", "rm", "--force", container)
    finally:
        run("docker", "network", "rm", name)


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 2).close()
    except OSError:
        return False
    return True


def host_addresses() -> list[str]:
    listed = json.loads(run("ip", "-json", "address"))
    found = [
        (entry["local"], interface["ifname"])
        for interface in listed
        for entry in interface["addr_info"]
        if interface["ifname"] != "lo" and entry["scope"] == "global"
    ]
    return [address for address, _ in found]


@pytest.mark.parametrize("service", PORTS)
def test_a_service_reaches_what_it_has_to_and_nothing_else(containers: dict[str, Json], service: str):
    wanted = [
        (other, address, port)
        for other, main in PORTS.items()
        for port in (main, PLAIN_PORT, METRICS_PORT)
        for address in addresses(containers[other])
        if other != service
    ]
    answers = reach_from(containers[service], [(address, port) for _, address, port in wanted])
    reached = {
        (other, port) for (other, _, port), answer in zip(wanted, answers, strict=True) if answer == "open"
    }
    assert {(other, port) for other, port in reached if port != METRICS_PORT} == {
        (other, PORTS[other]) for other in ALLOWED[service]
    }
    measured = {other for other, port in reached if port == METRICS_PORT}
    assert measured == (MEASURED - {service} if service in MEASURED else set())


@pytest.mark.parametrize("service", PORTS)
def test_no_service_reaches_the_host_or_another_network(
    containers: dict[str, Json], networks: dict[str, Json], host_port: int, elsewhere: str, service: str
):
    gateways = [config["Gateway"] for network in networks.values() for config in network["IPAM"]["Config"]]
    wanted = [(address, host_port) for address in {*host_addresses(), *gateways}] + [(elsewhere, 8080)]
    assert _answers(elsewhere, 8080)
    assert _answers("127.0.0.1", host_port)
    answers = dict(zip(wanted, reach_from(containers[service], wanted), strict=True))
    assert {place: answer for place, answer in answers.items() if answer not in SHUT} == {}


@pytest.mark.parametrize("service", PORTS)
def test_no_service_reaches_the_host_by_the_link_local_address_of_its_bridge(
    deployment: Deployment,
    containers: dict[str, Json],
    networks: dict[str, Json],
    host_port: int,
    service: str,
):
    wanted = []
    for name in containers[service]["NetworkSettings"]["Networks"]:
        network = name.removeprefix(f"{deployment.project}_")
        bridge = networks[network]["Options"]["com.docker.network.bridge.name"]
        listed = json.loads(run("ip", "-json", "-6", "address", "show", "dev", bridge))
        local = [entry["local"] for each in listed for entry in each.get("addr_info", ())]
        wanted += [(f"{address}%eth{index}", host_port) for address in local for index in range(3)]
    answers = dict(zip(wanted, reach_from(containers[service], wanted), strict=True))
    assert {place: answer for place, answer in answers.items() if answer in {"open", "refused"}} == {}
