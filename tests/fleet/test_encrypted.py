"""An encrypted overlay, the default of a fleet's file: what is said of it, and what it is from outside.

It needs a kernel with IPsec. Where this machine's has none: `tests/support/in-debian-vm` (`make nightly`).
"""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from fleet_host import Host
from fleet_lab import LAYERS, FleetLab, open_fleet
from fleet_stack import stack_of
from local_stack import PATIENCE, ROOT
from quick_stack import FOUND, found_in
from underlay import (
    EAR,
    FORGED,
    Inside,
    arrives,
    bridged,
    can_encrypt,
    ear_in,
    forged_packet,
    inside,
    opened_to_strangers,
    run_idle,
    stranger,
    tapped,
    udp_in,
    vni_of,
)

from dryrun_contract.event import SessionPlaced

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]

ALLOWLIST = ROOT / ".dryrun" / "allowlist.json"
IMAGE = "discovery/test-redis:8.0"


@pytest.fixture(scope="module")
def fleet() -> Iterator[FleetLab]:
    """Two hosts whose guards demand encryption."""
    # Where it is made for them, tests that are skipped would seem to pass.
    lacking = pytest.fail if "DRYRUN_VM" in os.environ else pytest.skip
    if not LAYERS.is_dir():
        lacking("needs an engine of its own: tests/support/with-own-engine or in-debian-vm")
    if not can_encrypt():
        lacking("this kernel cannot encrypt an overlay: tests/support/in-debian-vm .venv/bin/pytest …")
    with (
        tempfile.TemporaryDirectory(prefix="dt-", ignore_cleanup_errors=True) as folder,
        open_fleet(Path(folder) / "fleet", ALLOWLIST, hosts=2, encrypted=True, sweep_seconds=10) as lab,
    ):
        yield lab


@pytest.mark.parametrize("options", [("--opt", "encrypted"), ()], ids=["encrypted", "plain"])
def test_a_forged_frame_arrives_on_a_plain_overlay_only(fleet: FleetLab, options: tuple[str, ...]) -> None:
    """From a machine beside the hosts, without the rule; and from a container on a host's default bridge.

    The latter's packets have its host's address, which the rule admits (CVE-2023-28840 to 28842).
    """
    is_plain = not options
    # A worker may hold a network for a while after its end: a name of its own, and a subnet.
    name, subnet = ("plain", "10.213.125.0/24") if is_plain else ("encrypted", "10.213.126.0/24")
    with overlay(fleet, name, subnet, *options) as (neighbour, victim):
        packet = forged_packet(vni_of(fleet, name), victim.address)
        with ear_in(victim.namespace) as ear:
            with tapped(victim.host) as crossed, udp_in(neighbour.namespace) as sender:
                assert arrives_from_neighbour(ear, sender, victim)
            assert bool(crossed["vxlan"]) is is_plain
            assert bool(crossed["esp"]) is not is_plain
            with stranger() as sender:
                assert not arrives(ear, sender, packet, victim.host)
                with opened_to_strangers(fleet, victim.host):
                    assert arrives(ear, sender, packet, victim.host) is is_plain
            with bridged(fleet.manager, IMAGE) as container:
                assert arrives(ear, container, packet, victim.host) is is_plain


async def test_a_session_across_hosts_finds_the_same_and_sends_nothing_in_the_clear(
    fleet: FleetLab, empty_cluster: Path
) -> None:
    async with stack_of(fleet, empty_cluster, fleet.fleet_file()) as stack:
        (worker,) = fleet.workers
        with tapped(worker) as crossed:
            session_id = await stack.start_session("spread")
            view = await stack.wait_until_ended(session_id, 300 * PATIENCE)
        assert (view.outcome, view.reason) == ("completed", None)
        (placed,) = [e.data for e in await stack.events(session_id) if isinstance(e.data, SessionPlaced)]
        assert placed.encrypted
        assert placed.targets == dict.fromkeys(fleet.hosts, 1)
        assert crossed["esp"] > 1000
        assert crossed["vxlan"] == 0
        assert found_in(stack, session_id) >= FOUND
        assert fleet.left_of(str(session_id)) == []


@contextmanager
def overlay(fleet: FleetLab, name: str, subnet: str, *options: str) -> Iterator[tuple[Inside, Inside]]:
    """Make an overlay as the guards do, with a container on the manager and one on the worker."""
    made = ("--driver", "overlay", "--internal", "--attachable", "--subnet", subnet)
    with ExitStack() as exits:
        fleet.manager.docker("network", "create", *made, *options, name)
        exits.callback(fleet.manager.docker, "network", "rm", name)
        ends = []
        for host in fleet.hosts.values():
            container = attached(host, name)
            exits.callback(host.docker, "rm", "--force", container)
            ends.append(inside(host, container))
        yield ends[0], ends[1]


def attached(host: Host, network: str) -> str:
    """Run a container on the overlay. A slow engine gives itself too little time for its first one."""
    for _ in range(3):
        try:
            return run_idle(host, network, IMAGE)
        except AssertionError as error:
            if "context deadline exceeded" not in str(error):
                raise
    return run_idle(host, network, IMAGE)


def arrives_from_neighbour(ear: socket.socket, sender: socket.socket, victim: Inside) -> bool:
    """Return whether a container on the other host is heard, within some tries: the first waits for ARP."""
    for _ in range(5):
        sender.sendto(FORGED, (victim.address, EAR))
        with suppress(TimeoutError):
            return ear.recv(100) == FORGED
    return False
