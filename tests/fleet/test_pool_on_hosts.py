"""Sessions prepared on the hosts of a fleet: claimed, given up, and gone, whatever is killed meanwhile."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from fleet_host import Host
from fleet_lab import FleetLab
from fleet_stack import stack_of
from local_stack import ROOT, Stack
from quick_stack import FOUND, found_in

from dryrun_cli.errors import CliError
from dryrun_contract.event import Event, SessionPlaced
from dryrun_local.fleet.drained_hosts import set_drained
from dryrun_local.fleet.emptying import wait_until_empty
from dryrun_local.terminal.long_work import LongWork

pytestmark = [pytest.mark.engine, pytest.mark.long(200)]

ALLOWLIST = ROOT / ".dryrun" / "allowlist.json"
SESSION = "discovery.dryrun.session_id"


async def test_killed_again_and_again_while_it_prepares_it_leaves_nothing_on_any_host(
    fleet: FleetLab, empty_cluster: Path
) -> None:
    async with pooled(fleet, empty_cluster) as stack:
        first = await prepared_on(stack, "a", "b", "c")
        for seconds in (0.3, 0.9, 1.6):
            # Whoever misses a target prepares anew. One that is being removed already is refused.
            for host in fleet.hosts.values():
                for container in host.with_label("containers", SESSION)[:1]:
                    host.ask("DELETE", f"/containers/{container['Id']}?force=1")
            await asyncio.sleep(seconds)
            await stack.orchestrator.kill()
            await stack.orchestrator.start()
        prepared = await prepared_on(stack, "a", "b", "c")
        assert not set(prepared.values()) & set(first.values())
        await until(lambda: sessions_on(fleet) == {str(each) for each in prepared.values()})
        # Killed at the claim, twice: it is asked for again, and is somebody's once.
        asked = asyncio.create_task(stack.start_session("quick"))
        await asyncio.sleep(0.15)
        await stack.orchestrator.kill()
        await stack.orchestrator.start(ready=False)
        await asyncio.sleep(1)
        await stack.orchestrator.kill()
        await stack.orchestrator.start()
        try:
            session_id = await asked
        except CliError:  # it died before it named the template: nothing was stored
            session_id = await stack.start_session("quick")
        view = await stack.wait_until_ended(session_id)
        assert (view.outcome, view.reason) == ("completed", None)
        assert found_in(stack, session_id) >= FOUND
        await until(lambda: not fleet.left_of(str(session_id)))


@pytest.mark.parametrize("claimed", [True, False], ids=["just claimed", "not yet claimed"])
async def test_a_claim_whose_host_dies_ends_for_that_reason_and_leaves_nothing(
    fleet: FleetLab, empty_cluster: Path, claimed: bool
) -> None:
    # The manager's engine is this test's own.
    async with pooled(fleet, empty_cluster, drained="a") as stack:
        prepared = await prepared_on(stack, "b", "c")
        if claimed:
            session_id = await stack.start_session("quick", keep=True)
        else:
            lines = [each for line in await lines_of(stack) for each in line["ready"]]
            session_id = UUID(max(lines, key=lambda each: each["expires_at"])["id"])
        (name,) = [name for name, each in prepared.items() if each == session_id]
        host = fleet.hosts[name]
        with lost(fleet, host):
            if not claimed:
                assert await stack.start_session("quick", keep=True) == session_id
            await stack.orchestrator.kill()
            await stack.orchestrator.start(ready=False)
            await stack.wait_for_phase(session_id, "cleaning_up", seconds=100)
        why = f"host {name} is lost" if claimed else f"what was prepared for it on {name} had to be removed"
        view = await stack.wait_until_ended(session_id, 120)
        assert (view.outcome, str(view.reason).startswith(why)) == ("failed", True)
        await until(lambda: not fleet.left_of(str(session_id)))
        again = await prepared_on(stack, "b", "c")
        await until(lambda: sessions_on(fleet) == {str(each) for each in again.values()})
        other = await stack.start_session("quick")
        assert (await stack.wait_until_ended(other)).outcome == "completed"


async def test_what_is_prepared_is_gone_on_every_host_after_its_deadline_with_nobody_there(
    fleet: FleetLab, empty_cluster: Path
) -> None:
    settings = {"ORCHESTRATOR_SESSION_SECONDS": "45", "ORCHESTRATOR_POOL_LEAST_SECONDS": "5"}
    async with pooled(fleet, empty_cluster, **settings) as stack:
        await prepared_on(stack, "a", "b", "c")
        await stack.orchestrator.kill()
        assert sessions_on(fleet)
        await until(lambda: not sessions_on(fleet), seconds=60)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def short_of_memory(fleet: FleetLab, empty_cluster: Path) -> AsyncIterator[Stack]:
    """A system for the two tests below, which kill nothing; it prepares once it is given memory."""
    async with pooled(fleet, empty_cluster, ORCHESTRATOR_POOL_SPARE_MEMORY=str(2**50)) as stack:
        yield stack


async def given_memory(stack: Stack) -> dict[str, UUID]:
    """Let it prepare, unless an earlier test did; return what is prepared, by host."""
    if not any(line["ready"] or line["preparing"] for line in await lines_of(stack)):
        await restart(stack, ORCHESTRATOR_POOL_SPARE_MEMORY="0")
    return await prepared_on(stack, "a", "b", "c")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_host_that_has_too_little_memory_prepares_nothing(short_of_memory: Stack) -> None:
    """What a host has its guard says: all three have this machine's."""
    stack = short_of_memory
    async with asyncio.timeout(60):
        while not all("MiB are needed" in (line["note"] or "") for line in await lines_of(stack)):
            await asyncio.sleep(0.5)
    assert [(line["ready"], line["preparing"]) for line in await lines_of(stack)] == [([], 0)] * 3
    assert {line["note"].partition(":")[0] for line in await lines_of(stack)} == {"a", "b", "c"}
    await given_memory(stack)


@pytest.mark.asyncio(loop_scope="module")
async def test_each_host_keeps_a_session_prepared_and_a_drained_one_gives_it_up(
    fleet: FleetLab, short_of_memory: Stack
) -> None:
    stack = short_of_memory
    prepared = await given_memory(stack)
    session_id = await stack.start_session("quick", keep=True)
    view = await stack.wait_for_phase(session_id, "kept", seconds=90)
    assert view.prepared_at is not None
    assert found_in(stack, session_id) >= FOUND
    (host,) = [name for name, each in prepared.items() if each == session_id]
    placed = placed_of(await stack.events(session_id))
    assert (list(placed.targets), placed.collectors) == ([host], host)
    again = await prepared_on(stack, "a", "b", "c")
    assert again[host] != session_id
    drained = next(name for name in "bc" if name != host)
    file = stack.installation.state / "fleet.yml"
    set_drained(file, drained, drained=True)
    await wait_until_empty(stack.client, drained, 2, LongWork("waiting"))
    assert not fleet.left_of(str(again[drained]))
    await prepared_on(stack, *(name for name in "abc" if name != drained))
    # One with a session is empty once that has ended, and not before.
    set_drained(file, host, drained=True)
    waiting = asyncio.create_task(wait_until_empty(stack.client, host, 2, LongWork("waiting")))
    await until(lambda: not fleet.left_of(str(again[host])))
    await asyncio.sleep(5)
    assert not waiting.done()
    await stack.client.stop_session(session_id)
    await waiting
    assert not fleet.left_of(str(session_id))
    await stack.wait_until_ended(session_id)


@asynccontextmanager
async def pooled(
    fleet: FleetLab, cluster: Path, *, drained: str = "", **settings: str
) -> AsyncIterator[Stack]:
    """Run a system that keeps one session prepared on each host, and none in the end."""
    file = f"{fleet.fleet_file()}drained: [{drained}]\n"
    defaults = {"ORCHESTRATOR_POOL": "quick=1", "ORCHESTRATOR_POOL_SPARE_MEMORY": "0"}
    async with stack_of(fleet, cluster, file, **defaults | settings) as stack:
        yield stack
        await restart(stack, ORCHESTRATOR_POOL="")
        await until(lambda: not sessions_on(fleet))


async def restart(stack: Stack, **settings: str) -> None:
    """Stop the orchestrator as an operator does, and start it with other settings."""
    if stack.orchestrator.is_running:
        await stack.orchestrator.stop()
    stack.orchestrator.change(**settings)
    await stack.orchestrator.start()


async def lines_of(stack: Stack) -> list[Any]:
    lines: list[Any] = (await stack.orchestrator_get("/pool")).json()["lines"]
    return lines


async def prepared_on(stack: Stack, *hosts: str) -> dict[str, UUID]:
    """Wait until exactly these hosts have a session prepared; return their ids."""
    async with asyncio.timeout(120):
        while True:
            lines = await lines_of(stack)
            found = {each["host"]: UUID(each["ready"][0]["id"]) for each in lines if each["ready"]}
            if found.keys() == set(hosts) and not any(each["preparing"] for each in lines):
                return found
            await asyncio.sleep(0.5)


async def until(condition: Callable[[], bool], seconds: float = 45) -> None:
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.5)


def sessions_on(fleet: FleetLab) -> set[str]:
    """Return the sessions that any engine holds something of, without checks of hosts."""
    found = set()
    for host in fleet.hosts.values():
        for kind in ("containers", "networks"):
            for each in host.with_label(kind, SESSION):
                if each["Labels"].get("discovery.dryrun.template") != "isolation-check":
                    found.add(each["Labels"][SESSION])
    return found


@contextmanager
def lost(fleet: FleetLab, host: Host) -> Iterator[None]:
    """Have power fail for the time of the block: guard, engine and containers are gone at once."""
    host.end_guard(signal.SIGKILL)
    fleet.end_engine(host, signal.SIGKILL)
    fleet.end_containers(host)
    try:
        yield
    finally:
        fleet.start_engine(host)
        fleet.start_guard(host, ALLOWLIST)


def placed_of(events: list[Event]) -> SessionPlaced:
    (placed,) = [event.data for event in events if isinstance(event.data, SessionPlaced)]
    return placed
