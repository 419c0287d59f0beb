"""Sessions on three hosts: the same findings as on one, no host reached from inside, nothing left on any."""

import asyncio
import contextlib
import json
import os
import socket
import struct
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from fleet_host import GUARD_PORT, Host
from fleet_lab import UNDERLAY, FleetLab
from fleet_stack import stack_of
from local_stack import ROOT
from probe_frames import BROADCAST
from quick_stack import FOUND, found_in
from underlay import (
    Inside,
    arrives,
    can_encrypt,
    ear_in,
    entered,
    forged_packet,
    inside_of,
    opened_to_strangers,
    stranger,
    udp_frame,
    vni_of,
)

from dryrun_contract.event import IsolationProbed, SessionPlaced, TargetChanged
from dryrun_local.images.distribution import distribute
from dryrun_local.images.programs import ProgramError

pytestmark = [pytest.mark.engine, pytest.mark.long(90)]

ATTACK_SECONDS = 1.0
FIRST_PROBE = 22
"""Of the addresses of a session's subnet; targets have lower ones."""
ALLOWLIST = ROOT / ".dryrun" / "allowlist.json"


async def test_the_findings_are_the_same_and_nothing_of_any_host_is_reached(
    fleet: FleetLab, empty_cluster: Path
) -> None:
    async with stack_of(fleet, empty_cluster, fleet.fleet_file()) as stack:
        whole = await stack.start_session("quick")
        spread, apart = [await stack.start_session(name, keep=True) for name in ("spread", "apart")]
        await stack.wait_until_ended(whole)
        for session_id in (spread, apart):
            await stack.wait_for_phase(session_id, "kept", seconds=90)
        assert found_in(stack, whole) >= FOUND
        for session_id in (spread, apart):
            assert found_in(stack, session_id) == found_in(stack, whole)
        placed = {
            session_id: placed_of(await stack.events(session_id)) for session_id in (whole, spread, apart)
        }
        assert len(placed[whole].targets) == 1
        assert len(placed[spread].targets) == 2
        assert placed[apart].collectors not in placed[apart].targets
        assert (placed[whole].encrypted, placed[spread].encrypted) == (None, False)
        events = await stack.events(spread)
        hosts = {event.data.host for event in events if isinstance(event.data, TargetChanged)}
        assert hosts == set(placed[spread].targets)
        (probed,) = [event.data for event in events if isinstance(event.data, IsolationProbed)]
        assert all(f"{host}: nothing leads out" in probed.detail for host in placed[spread].targets)
        report: Any = await stack.client.report(spread)
        assert {image["host"] for image in report["images"]} == hosts
        assert "not encrypted" not in report["placement"]["reason"]
        other: Any = await stack.client.report(whole)
        assert other["placement"]["encrypted"] is None
        assert judged(report) == judged(other)
        with stranger() as sender:
            await attacked_from_inside(fleet, str(spread), inside_of(fleet, str(apart)), sender)
        injected_from_outside(fleet, str(spread))
        for session_id in (spread, apart):
            await stack.client.stop_session(session_id)
            await stack.wait_until_ended(session_id)
        for session_id in (whole, spread, apart):
            assert fleet.left_of(str(session_id)) == []


@pytest.mark.timeout(900)
@pytest.mark.skipif(
    os.environ.get("DRYRUN_SHARE") != "all", reason="takes 3 minutes; DRYRUN_SHARE=all runs it"
)
async def test_the_largest_template_is_judged_alike_on_one_host_and_across_three(
    fleet: FleetLab, empty_cluster: Path
) -> None:
    async with stack_of(fleet, empty_cluster, fleet.fleet_file()) as stack:
        reports: dict[str, Any] = {}
        for template in ("large", "across"):
            session_id = await stack.start_session(template)
            view = await stack.wait_until_ended(session_id, 300)
            assert (view.outcome, view.reason) == ("completed", None)
            reports[template] = await stack.client.report(session_id)
            placed = placed_of(await stack.events(session_id))
            assert len(placed.targets) == (1 if template == "large" else 3)
            assert sum(placed.targets.values()) == 20
            assert fleet.left_of(str(session_id)) == []
        assert judged(reports["across"]) == judged(reports["large"])
        assert len(reports["across"]["scores"]["rows"]) > 20


async def test_a_target_that_another_hosts_engine_has_forgotten_is_not_counted_as_missed(
    fleet: FleetLab, empty_cluster: Path
) -> None:
    async with stack_of(fleet, empty_cluster, fleet.fleet_file(a=0)) as stack:
        session_id = await stack.start_session("apart")
        async with asyncio.timeout(120):
            while not any(isinstance(event.data, SessionPlaced) for event in await stack.events(session_id)):
                await asyncio.sleep(0.05)
            scanner = fleet.hosts[placed_of(await stack.events(session_id)).collectors]
            # Again and again by itself: on a busy machine targets are learned while a request is waited for.
            forgetting = asyncio.create_task(forget_others_forever(scanner))
            try:
                view = await stack.wait_until_ended(session_id)
            finally:
                forgetting.cancel()
        assert view.outcome == "failed"
        assert view.reason is not None
        assert view.reason.startswith("its hosts do not reach all of each other's targets; start it again: ")
        assert "on another host, does not answer" in view.reason
        begun = [event for event in await stack.events(session_id) if event.data.type == "collector_started"]
        assert not begun
        assert fleet.left_of(str(session_id)) == []


async def forget_others_forever(host: Host) -> None:
    while True:
        await asyncio.to_thread(forget_others, host)


def forget_others(host: Host) -> None:
    """Let an engine not know where targets on other hosts are, as if it had taken those for failed."""
    for namespace in (host.folder / "exec" / "netns").glob("1-*"):
        # The overlay may be gone by now.
        for line in words("nsenter", f"--net={namespace}", "ip", "-4", "neigh", "show", "dev", "vxlan0"):
            address = line.split()[0]
            if int(address.rpartition(".")[2]) % 32 < FIRST_PROBE:
                words("nsenter", f"--net={namespace}", "ip", "neigh", "del", address, "dev", "vxlan0")


def words(*command: str) -> list[str]:
    """Return the lines that a command prints, none if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    return done.stdout.splitlines()


async def test_what_cannot_be_encrypted_is_found_out_before_a_target_starts(
    fleet: FleetLab, empty_cluster: Path
) -> None:
    """The engine accepts an overlay that its kernel cannot encrypt, and drops what crosses hosts."""
    with fleet.encrypted(ALLOWLIST):
        async with stack_of(fleet, empty_cluster, fleet.fleet_file()) as stack:
            session_id = await stack.start_session("spread")
            ended = await stack.wait_until_ended(session_id)
            events = await stack.events(session_id)
            assert placed_of(events).encrypted is True
            if can_encrypt():
                assert ended.outcome == "completed"
            else:
                assert ended.outcome == "failed"
                assert "what crosses hosts is lost" in str(ended.reason)
                states = {event.data.state for event in events if isinstance(event.data, TargetChanged)}
                assert states <= {"created", "removed"}
                said = (await stack.orchestrator_get("/readyz")).json()["checks"]["overlay"]
                assert "the last proof across hosts failed" in said
                assert "what crosses hosts is lost" in said
            assert fleet.left_of(str(session_id)) == []


async def test_a_host_gets_what_it_lacks_and_nothing_else(fleet: FleetLab, tmp_path: Path) -> None:
    worker = fleet.workers[0]
    pinned = json.loads(ALLOWLIST.read_text())["images"]["discovery/test-quiet:1.0"]["id"]
    worker.docker("image", "rm", "--force", pinned)
    copying: list[tuple[int, int]] = []
    log = tmp_path / "log"
    first = await distribute(worker.docker_host, ALLOWLIST, log, lambda *said: copying.append(said))
    assert first.copied == ("discovery/test-quiet:1.0",)
    assert copying[0] == (1, 0)
    assert copying[-1][1] > 0
    name = ("image", "inspect", "--format", "{{.Id}}", "discovery/test-quiet:1.0")
    assert worker.docker(*name) == pinned
    second = await distribute(worker.docker_host, ALLOWLIST, log, unheard)
    assert (second.copied, second.here) == ((), first.here + 1)
    with pytest.raises(ProgramError, match="nowhere"):
        await distribute(f"unix://{tmp_path}/nowhere", ALLOWLIST, log, unheard)


def unheard(images: int, size: int) -> None:
    """Take progress that nobody reads."""


def judged(report: Any) -> Any:
    """Return what a report counts: whether collectors came to their end, scores, harm."""
    runs = [{"collector": each["collector"], "complete": each["complete"]} for each in report["collectors"]]
    # What a target said last names the address that asked, and when.
    # Which of two was harmed first is chance.
    harmed = sorted((each["service"], each["harm"], each["during"]) for each in report["harmed"])
    return runs, report["scores"]["rows"], harmed


def placed_of(events: list) -> SessionPlaced:
    (placed,) = [event.data for event in events if isinstance(event.data, SessionPlaced)]
    return placed


# from inside


def network_of(host: Host) -> str:
    return "/proc/self/ns/net" if host.is_manager else f"/run/netns/{host.namespace}"


def addresses_of(host: Host) -> list[str]:
    shown = host.inside("ip", "-j", "-4", "addr")
    found = json.loads(subprocess.run(shown, check=True, capture_output=True, text=True).stdout)
    return [entry["local"] for interface in found for entry in interface["addr_info"] if entry.get("local")]


async def attacked_from_inside(
    fleet: FleetLab, session_id: str, others: list[Inside], outside: socket.socket
) -> None:
    """From each container: connect to every host, a machine beside them and another session's containers.

    And put frames on the wire for all of their addresses. `outside` is a socket of that machine.
    """
    ears = [outside]
    for namespace in (*map(network_of, fleet.hosts.values()), *(other.namespace for other in others)):
        with entered(namespace):
            ears.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    for ear in ears:
        ear.bind(("0.0.0.0", 40404))
        ear.setblocking(False)
    beside = {f"{UNDERLAY}.99", *(other.address for other in others)}
    assert len(beside) >= 3
    targets = beside | {address for host in fleet.hosts.values() for address in addresses_of(host)}
    assert {host.address for host in fleet.hosts.values()} <= targets
    insiders = inside_of(fleet, session_id)
    assert len(insiders) >= 2
    engines = [f"{insiders[0].address.rpartition('.')[0]}.{last}" for last in range(32, 36)]
    for insider in insiders:
        for address, port in product(
            (*sorted(host.address for host in fleet.hosts.values()), *engines),
            (GUARD_PORT, 2377, 7946, 40404),
        ):
            assert connected(insider, address, port) not in ("open", "refused by a host"), (address, port)
        for address, port in product(beside, (80, 6379, 40404)):
            assert connected(insider, address, port) == "nothing", (address, port)
        with entered(insider.namespace):
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        wire.bind(("eth0", 0))
        mac = wire.getsockname()[4]
        wire.settimeout(0.2)
        # Whoever answers ARP in the engines' half may forward; broadcast reaches everybody on the wire.
        speakers = {BROADCAST, *answering(wire, mac, insider.address, engines)}
        for speaker in speakers:
            for address in sorted(targets):
                wire.send(udp_frame(speaker, mac, insider.address, address, 40404))
        # The hosts' own addresses have no answer to ARP.
        assert not answering(wire, mac, insider.address, sorted(targets - {"127.0.0.1"}))
        wire.close()
    await asyncio.sleep(ATTACK_SECONDS)
    for ear in ears:
        with pytest.raises(BlockingIOError):
            ear.recv(100)
        ear.close()


def connected(insider: Inside, address: str, port: int) -> str:
    with entered(insider.namespace):
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.settimeout(0.15)
    try:
        client.connect((address, port))
    except ConnectionRefusedError:
        # The engines' endpoints refuse, with every port closed; they are on the session's own subnet.
        return (
            "refused"
            if address.rpartition(".")[0] == insider.address.rpartition(".")[0]
            else "refused by a host"
        )
    except OSError:
        return "nothing"
    finally:
        client.close()
    return "open"


def answering(wire: socket.socket, mac: bytes, own: str, addresses: list[str]) -> set[bytes]:
    """Return who answers ARP requests for addresses."""
    for address in addresses:
        request = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + socket.inet_aton(own)
        wire.send(BROADCAST + mac + b"\x08\x06" + request + bytes(6) + socket.inet_aton(address))
    asked, found = set(map(socket.inet_aton, addresses)), set()
    with contextlib.suppress(TimeoutError):
        for _ in range(200):
            frame = wire.recv(2048)
            if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x02" and frame[28:32] in asked:
                found.add(frame[22:28])
    return found


# from the network between the hosts


def injected_from_outside(fleet: FleetLab, session_id: str) -> None:
    """Send a frame for a container in a VXLAN packet of nobody's: it arrives only without the hosts' rule."""
    vni = vni_of(fleet, f"dryrun-{session_id}")
    victims = {each.host: each for each in inside_of(fleet, session_id) if not each.host.is_manager}
    assert victims
    for host, victim in victims.items():
        packet = forged_packet(vni, victim.address)
        with ear_in(victim.namespace) as ear, stranger() as sender:
            assert not arrives(ear, sender, packet, host)
            # The same packet gets in where the rule is missing: what kept it out is the rule.
            with opened_to_strangers(fleet, host):
                assert arrives(ear, sender, packet, host)
