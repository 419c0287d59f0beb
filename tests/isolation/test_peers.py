"""The ports of a fleet's host are for its hosts; the guard's also for the orchestrator's."""

import os
import shutil
import socket
from contextlib import ExitStack

import pytest
from network_lab import (
    BRIDGE,
    HOST,
    OTHER_SESSION,
    OUTSIDE,
    PEER,
    PROBE_ADDRESS,
    ROOT,
    Lab,
    run,
)

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft"),
]

STRANGER, WORKER, ORCHESTRATOR = OUTSIDE, "10.213.201.6", "10.213.201.7"
BROADCAST = "10.213.201.31"
PATIENCE = 5
"""Seconds for what has to connect, also on a busy machine."""
GUARDS_BRIDGE, GATEWAY = "drf-guard", "10.213.200.33"
SWARM, GUARD, VXLAN = (2377, 7946), 2376, 4789
NAT = f"""
table ip published {{
	chain rewrite {{
		type nat hook prerouting priority dstnat
		fib daddr type local tcp dport {GUARD} dnat to {OTHER_SESSION}
	}}
}}
"""
"""As Docker does it for a port that a container publishes."""


@pytest.fixture
def host(lab: Lab) -> Lab:
    """The host of a fleet, with three machines on the network beside it and two containers on a bridge."""
    lab.build(bridged_filtering=1)
    for address in (WORKER, ORCHESTRATOR):
        lab.inside("out", "ip", "addr", "add", f"{address}/27", "dev", "eth0")
    for name, address in (("a", PROBE_ADDRESS), ("peer", PEER)):
        lab.plug(name, address, BRIDGE)
    return lab


def shut(lab: Lab) -> None:
    rule = run(str(ROOT / "deploy/fleet/peers"), "--orchestrator", ORCHESTRATOR, HOST, WORKER)
    run("ip", "netns", "exec", f"{lab.prefix}host", "nft", "-f", "-", input=rule)


def listen(lab: Lab, name: str, port: int) -> socket.socket:
    ear = lab.socket(name, socket.AF_INET, socket.SOCK_STREAM)
    ear.bind(("", port))
    ear.listen()
    return ear


def connects(
    lab: Lab, source: str, port: int, address: str = HOST, name: str = "out", seconds: float = 0.3
) -> bool:
    with lab.socket(name, socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(seconds)
        client.bind((source, 0))
        try:
            client.connect((address, port))
        except TimeoutError:
            return False
        return True


def is_heard(lab: Lab, source: str, address: str, ear: socket.socket) -> bool:
    with lab.socket("out", socket.AF_INET, socket.SOCK_DGRAM) as mouth:
        mouth.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        mouth.bind((source, 0))
        mouth.sendto(b"frame", (address, VXLAN))
    try:
        return ear.recv(100) == b"frame"
    except TimeoutError:
        return False


def test_only_the_fleets_hosts_reach_its_ports_and_the_orchestrator_the_guards(host: Lab) -> None:
    with ExitStack() as exits:
        for port in (GUARD, *SWARM):
            exits.enter_context(listen(host, "host", port))
        assert all(connects(host, STRANGER, port, seconds=PATIENCE) for port in (GUARD, *SWARM))
        shut(host)
        assert {
            source: [port for port in (GUARD, *SWARM) if connects(host, source, port)]
            for source in (STRANGER, ORCHESTRATOR, WORKER)
        } == {STRANGER: [], ORCHESTRATOR: [GUARD], WORKER: [GUARD, *SWARM]}
        # The host itself reaches them by its own address.
        assert all(connects(host, HOST, port, name="host", seconds=PATIENCE) for port in (GUARD, *SWARM))


def test_vxlan_comes_from_peers_alone_however_it_is_addressed(host: Lab) -> None:
    with host.socket("host", socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("", VXLAN))
        ear.settimeout(0.3)
        assert all(is_heard(host, STRANGER, address, ear) for address in (HOST, BROADCAST))
        shut(host)
        for address in (HOST, BROADCAST):
            assert not is_heard(host, STRANGER, address, ear)
            assert not is_heard(host, ORCHESTRATOR, address, ear)
            assert is_heard(host, WORKER, address, ear)


@pytest.fixture
def contained(host: Lab) -> Lab:
    """The same, with a container on a bridge as the fleet's compose files name it."""
    host.inside("host", "ip", "link", "add", GUARDS_BRIDGE, "type", "bridge")
    host.inside("host", "ip", "link", "set", GUARDS_BRIDGE, "up")
    host.inside("host", "ip", "addr", "add", f"{GATEWAY}/27", "dev", GUARDS_BRIDGE)
    host.plug("b", OTHER_SESSION, GUARDS_BRIDGE)
    host.inside("b", "ip", "route", "add", "default", "via", GATEWAY)
    host.inside("out", "ip", "route", "add", f"{GATEWAY}/32", "via", HOST)
    host.inside("out", "ip", "route", "add", f"{OTHER_SESSION}/32", "via", HOST)
    return host


def test_a_guards_port_that_a_container_publishes_is_shut_as_well(contained: Lab) -> None:
    contained.load_rule(NAT)
    with listen(contained, "b", GUARD):
        assert connects(contained, STRANGER, GUARD, seconds=PATIENCE)
        assert connects(contained, STRANGER, GUARD, OTHER_SESSION, seconds=PATIENCE)
        shut(contained)
        for source, admitted in ((STRANGER, False), (ORCHESTRATOR, True), (WORKER, True)):
            assert connects(contained, source, GUARD) is admitted
            # Routed straight to the container, around the publication.
            assert not connects(contained, source, GUARD, OTHER_SESSION)


def test_a_guard_in_a_container_reaches_guards_of_the_fleet_and_nothing_else(contained: Lab) -> None:
    asked = [(address, port) for address in (HOST, WORKER, STRANGER) for port in (GUARD, *SWARM)]

    def reached() -> list[tuple[str, int]]:
        return [each for each in asked if connects(contained, OTHER_SESSION, each[1], each[0], "b")]

    with ExitStack() as exits:
        for port in (GUARD, *SWARM):
            for name in ("host", "out"):
                exits.enter_context(listen(contained, name, port))
        assert reached() == asked
        shut(contained)
        assert reached() == [(HOST, GUARD), (WORKER, GUARD)]


def test_what_containers_say_to_each_other_on_these_ports_is_theirs(host: Lab) -> None:
    """A session may hold an engine's port; bridged frames pass the host's filters where these are asked."""
    shut(host)
    for port in (GUARD, *SWARM):
        with listen(host, "peer", port):
            assert connects(host, PROBE_ADDRESS, port, PEER, "a", PATIENCE)


@pytest.mark.parametrize(
    "arguments",
    [(), (HOST,), ("--orchestrator", ORCHESTRATOR, HOST), (HOST, WORKER, "--orchestrator"), (HOST, "a; b")],
)
def test_a_filter_that_would_admit_nobody_or_anything_is_not_printed(arguments: tuple[str, ...]) -> None:
    with pytest.raises(Exception, match="exit status 2"):
        run(str(ROOT / "deploy/fleet/peers"), *arguments)
