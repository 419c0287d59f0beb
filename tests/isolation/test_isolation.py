"""Two real sessions at once: from inside each nothing else is reached, while its own machines are.

The lab of `test_host_rule.py` takes the rule apart line by line. Here stands what the engine and the
orchestrator have really made, attacked from a container like a collector's. The same attack on a network
whose bridge the rule does not cover gets through: silence elsewhere is not the attacker's own.
"""

import asyncio
import contextlib
import json
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address
from pathlib import Path
from typing import Any
from uuid import UUID

import probe_frames as frames
import pytest
from host_ears import Heard, HostEars, host_addresses, neighbour, new_mark
from local_stack import ROOT, Stack
from quick_stack import FOUND, found_in, open_quick_stack

from dryrun_local.machine.engine_view import EngineView

type Docker = Callable[..., str]

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("nft") is None, reason="needs root and nft"),
]

ATTACKER = Path(__file__).parents[1] / "support" / "attacker.py"
IMAGE = "discovery/test-collector-network:1.0"
LIMITS = ("--read-only", "--cap-drop=ALL", "--cap-add=NET_RAW", "--security-opt=no-new-privileges",
          "--memory=512m", "--memory-swap=512m", "--cpus=0.5", "--pids-limit=100")  # fmt: skip
OUR_SIDE, BEYOND = "10.213.101.1", "10.213.101.5"
"""A network beside the host, as the way to the internet is; no session of a test gets this subnet."""
PORTS = {"web": 80, "cache": 6379}
"""Of the template `quick`: what its machines offer to their own session."""
ARP, IPV4, IPV6 = b"\x08\x06", b"\x08\x00", b"\x86\xdd"
NO_ROUTE, NOBODY = {"ENETUNREACH"}, {"EHOSTUNREACH", "no answer"}


@dataclass(frozen=True)
class Place:
    """A network to attack from, as the engine describes it."""

    network: str
    bridge: str
    subnet: IPv4Network
    services: Mapping[str, str]
    """Names and addresses of its machines."""
    containers: tuple[str, ...]
    """The engine's names of them."""
    macs: tuple[str, ...]

    @property
    def gateway(self) -> str:
        """Where the host would be on the bridge of any other network."""
        return str(next(self.subnet.hosts()))

    def host_macs(self) -> list[str]:
        """Of the bridge, and of the host's ends of its containers' links."""
        ports = sorted(path.name for path in Path(f"/sys/class/net/{self.bridge}/brif").iterdir())
        return [Path(f"/sys/class/net/{name}/address").read_text().strip() for name in (self.bridge, *ports)]


async def place_of(engine: EngineView, network: str) -> Place:
    seen = await engine.get(f"/networks/{network}")
    services, containers = {}, []
    for identifier, entry in seen["Containers"].items():
        labels = (await engine.get(f"/containers/{identifier}/json"))["Config"]["Labels"]
        services[labels["discovery.dryrun.service"]] = entry["IPv4Address"].partition("/")[0]
        containers.append(entry["Name"])
    return Place(
        network,
        seen["Options"]["com.docker.network.bridge.name"],
        IPv4Network(seen["IPAM"]["Config"][0]["Subnet"]),
        services,
        tuple(containers),
        tuple(entry["MacAddress"] for entry in seen["Containers"].values()),
    )


async def attack(place: Place, plan: Mapping[str, Any], docker: Docker) -> dict[str, Any]:
    """Start the attacker in `place`, under a collector's limits, and return what became of its tries."""
    image = json.loads((ROOT / ".dryrun" / "allowlist.json").read_text())["images"][IMAGE]["id"]
    own = str(list(place.subnet.hosts())[-1])
    plan = {**plan, "self": own, "members": place.macs}
    name = f"dryrun-attacker-{uuid.uuid4().hex[:12]}"
    command = [
        "docker", "run", "--rm", "--interactive", "--pull=never", f"--name={name}", *LIMITS,
        f"--network={place.network}", f"--ip={own}",
        # The resolver's upstream is this host, by two of its addresses: a query that gets out is heard.
        f"--dns={OUR_SIDE}", f"--dns={BEYOND}",
        f"--env=ATTACK={json.dumps(plan)}", "--entrypoint=python3", image, "-ES", "-",
    ]  # fmt: skip
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(90):
            said, complaint = await process.communicate(ATTACKER.read_bytes())
    except TimeoutError:
        docker("rm", "--force", name)
        raise
    assert process.returncode == 0, complaint.decode()
    return json.loads(said)


def plan_against(
    ears: HostEars, place: Place, other: Place | None, services: Sequence[int]
) -> dict[str, Any]:
    """Everything that is not of the session, by address and ports."""
    # A bridge has its link-local address only once its first container is there.
    addresses = {*host_addresses(), *map(link_local, place.host_macs())}
    hosts = {address: [ears.port, *services] for address in addresses}
    strangers = {place.gateway: [ears.port, *services], BEYOND: [ears.port]}
    macs = place.host_macs()
    asked = new_mark()
    names = [f"{asked}.example", "host.docker.internal", *place.services]
    if other is not None:
        strangers |= {other.gateway: [ears.port]}
        strangers |= {address: [PORTS[name]] for name, address in other.services.items()}
        names += other.containers
        macs += other.macs
    # The attacker's own loopback is no way out; as the target of a frame, the host's may be.
    by_sockets = {address: ports for address, ports in hosts.items() if not ip_address(address).is_loopback}
    own = {address: [PORTS[name]] for name, address in place.services.items()}
    return {
        "mark": new_mark(),
        "asked": asked,
        "by_sockets": list((by_sockets | strangers | own).items()),
        "by_frames": list((hosts | strangers).items()),
        "names": names,
        "macs": macs,
    }


def link_local(mac: str) -> str:
    return str(ip_address(frames.link_local(bytes.fromhex(mac.replace(":", "")))))


@pytest.fixture
def beyond() -> Iterator[str]:
    with neighbour(OUR_SIDE, BEYOND) as interface:
        yield interface


@pytest.fixture
def ears(beyond) -> Iterator[HostEars]:
    with HostEars() as opened:
        yield opened


@contextlib.asynccontextmanager
async def uncovered_network(engine: EngineView, docker: Docker) -> AsyncIterator[Place]:
    """An ordinary network of the engine's, with a bridge that the host rule does not cover."""
    name = f"dryrun-isolation-test-{uuid.uuid4().hex[:12]}"
    driver = "com.docker.network.bridge"
    docker("network", "create", "--subnet=10.213.100.0/27",
           f"--opt={driver}.name=dx-{uuid.uuid4().hex[:12]}", name)  # fmt: skip
    try:
        yield await place_of(engine, name)
    finally:
        docker("network", "rm", name)


async def kept_session(stack: Stack) -> tuple[UUID, Place]:
    session_id = await stack.start_session("quick", keep=True)
    await stack.wait_for_phase(session_id, "kept")
    return session_id, await place_of(stack.engine, f"dryrun-{session_id}")


def service_ports(stack: Stack) -> list[int]:
    return [int(service.url.rpartition(":")[2]) for service in (stack.api, stack.orchestrator)]


async def test_two_sessions_reach_their_own_machines_and_nothing_else(empty_cluster, engine, docker, ears):
    async with open_quick_stack(empty_cluster, {}) as (stack, _):
        (one, here), (two, there) = await asyncio.gather(kept_session(stack), kept_session(stack))
        plans = [plan_against(ears, here, there, service_ports(stack)),
                 plan_against(ears, there, here, service_ports(stack))]  # fmt: skip
        reports = await asyncio.gather(attack(here, plans[0], docker), attack(there, plans[1], docker))

        for place, plan, report in zip((here, there), plans, reports, strict=True):
            assert ears.of(plan["asked"]) == Heard(), "a query for a name outside went further"
            require_shut(ears.of(plan["mark"]), place, report)
        for session_id in (one, two):
            assert found_in(stack, session_id) == FOUND
    assert ears.missed() == 0


def require_shut(heard: Heard, place: Place, report: Mapping[str, Any]) -> None:
    assert heard.accepted == set(), "a socket of the host got it"
    assert heard.interfaces == {place.bridge}, "frames went further than the session's own bridge, or nowhere"
    assert report["heard"] == [], "somebody outside of the session spoke to it"
    tried = {(way, address, port): result for way, address, port, result in report["sockets"]}
    for name, address in place.services.items():
        assert tried["TCP", address, PORTS[name]] == "connected", f"{name} is not reached by its own session"
    for (way, address, port), result in tried.items():
        if address not in place.services.values():
            allowed = NOBODY if ip_address(address) in place.subnet else NO_ROUTE
            assert result in allowed, f"{way} to {address} port {port}"
    for name, (code, answers) in report["names"].items():
        known = name in place.services
        assert (code == 0, answers) == (known, int(known)), f"{name}: code {code}, {answers} answers"


async def test_the_same_attack_gets_through_where_the_rule_does_not_reach(engine, docker, ears, beyond):
    async with uncovered_network(engine, docker) as place:
        plan = plan_against(ears, place, None, ())
        report = await attack(place, plan, docker)
    heard = ears.of(plan["mark"])
    assert heard.accepted == {
        f"{family} {protocol}" for family in ("IPv4", "IPv6") for protocol in ("TCP", "UDP", "ICMP")
    }
    assert heard.interfaces >= {place.bridge, beyond}
    assert ears.of(plan["asked"]).interfaces >= {place.bridge}
    assert {bytes.fromhex(frame)[12:14] for frame in report["heard"]} == {ARP, IPV4, IPV6}
    results = {(way, address): result for way, address, _, result in report["sockets"]}
    for address in (place.gateway, OUR_SIDE):
        assert (results["TCP", address], results["ping", address]) == ("connected", "answered")
