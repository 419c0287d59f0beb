"""Cleanup and reaper remove only exact session ids, own orphans, and what is past its deadline."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from event_ledger import require_every_event_once
from local_stack import ORCHESTRATOR_TOKEN, Stack, plain_client
from quick_stack import open_quick_stack

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]

SOON = 4 / 60
"""Minutes; enough to make what is due then, before a reaper takes its first half away."""
SESSION, OWNER, EXPIRES = (f"discovery.dryrun.{name}" for name in ("session_id", "owner", "expires_at"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(empty_cluster: Path) -> AsyncIterator[Stack]:
    async with open_quick_stack(empty_cluster, {"ORCHESTRATOR_REAPER_SECONDS": "1"}) as (opened, _):
        yield opened
        await opened.orchestrator.until_ready()


class Others:
    """Containers and networks that others made, remembered to be looked at and removed again."""

    def __init__(self, docker: Callable[..., str]) -> None:
        self._docker = docker
        # Somewhere else each time: what a killed run left must not fail the next.
        self._free = IPv4Network("10.213.216.0/21").subnets(new_prefix=29)
        for _ in range(random.randrange(200)):
            next(self._free)
        self.containers: list[str] = []
        self.networks: list[str] = []

    def container(self, *options: str, name: str = "", run: bool = False, **labels: str) -> str:
        named = [f"--name={name}"] if name else []
        words = (
            *_labels(labels),
            *named,
            *(options or ("--network=none",)),
            "discovery/python:13",
            "sleep",
            "600",
        )
        made = self._docker(*(("run", "--detach") if run else ("create",)), *words).strip()
        self.containers.append(made)
        return made

    def network(self, name: str = "", **labels: str) -> str:
        name = name or f"foreign-{uuid4()}"
        made = self._docker(
            "network", "create", "--internal", f"--subnet={next(self._free)}", *_labels(labels), name
        ).strip()
        self.networks.append(made)
        return made

    def left(self) -> tuple[list[tuple[str, str, str]], list[str]]:
        """Return what there still is, containers with their state and start."""
        there = set(self._docker("ps", "--all", "--quiet", "--no-trunc").split())
        containers = [each for each in self.containers if each in there]
        seen = json.loads(self._docker("inspect", *containers)) if containers else []
        networks = set(self._docker("network", "ls", "--quiet", "--no-trunc").split())
        return (
            [(each["Id"], each["State"]["Status"], each["State"]["StartedAt"]) for each in seen],
            [each for each in self.networks if each in networks],
        )

    def remove(self) -> None:
        containers, networks = self.left()
        for each in containers:
            self._docker("rm", "--force", each[0])
        for network in networks:
            self._docker("network", "rm", network)


def _labels(labels: dict[str, str]) -> list[str]:
    return [f"--label={key}={value}" for key, value in labels.items()]


@pytest.fixture
def others(docker: Callable[..., str]) -> Iterator[Others]:
    made = Others(docker)
    yield made
    made.remove()


def of_owner(session: object, owner: object, *, minutes: float) -> dict[str, str]:
    """Return labels as an orchestrator writes them, with a deadline so far ahead."""
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    return {SESSION: str(session), OWNER: str(owner), EXPIRES: moment.strftime("%Y-%m-%dT%H:%M:%SZ")}


def remains(others: Others, owner: object, *, minutes: float) -> set[str]:
    """Make what is left of a session: a network, a container that runs in it and one that never started."""
    labels = of_owner(uuid4(), owner, minutes=minutes)
    network = others.network(**labels)
    return {
        network,
        others.container(f"--network={network}", run=True, **labels),
        others.container(f"--network={network}", **labels),
    }


def bystanders(others: Others, session: UUID, journal: UUID) -> None:
    """Make everything that looks like the session's or like a leftover, and is neither."""
    own = of_owner(session, journal, minutes=-1)
    for value in (
        f"{session}0",
        f"0{session}",
        str(session)[:-1],
        str(session).upper(),
        session.hex,
        f"{session},x",
        "",
    ):
        others.container(**own | {SESSION: value})
    others.network(**own | {SESSION: str(session).upper()})
    others.network(**own | {SESSION: f"{session}0"})
    others.container(name=f"dryrun-{session}", run=True)
    others.network(name=f"dryrun-{uuid4()}")
    others.container(**{f"{SESSION}.old": str(session), OWNER: str(journal)})
    # Sessions of another orchestrator: under way, and with a deadline that cannot be read.
    remains(others, uuid4(), minutes=20)
    others.container(**of_owner(uuid4(), uuid4(), minutes=-1) | {EXPIRES: "yesterday"})


async def until_gone(stack: Stack, ids: set[str], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while left := {thing.id for thing in await stack.engine.things()} & ids:
        assert time.monotonic() < deadline, f"still there after {seconds} s: {left}"
        await asyncio.sleep(0.2)


async def test_every_cleanup_and_the_reaper_spare_what_is_not_theirs(
    stack: Stack, others: Others, docker: Callable[..., str]
) -> None:
    journal = UUID((await stack.orchestrator_get("/events")).json()["journal"])
    session = await stack.start_session("quick")
    bystanders(others, session, journal)
    guest = others.container(run=True)
    await stack.wait_for_phase(session, "scanning")
    network = docker("network", "ls", "--quiet", "--no-trunc", f"--filter=label={SESSION}={session}").strip()
    docker("network", "disconnect", "none", guest)
    docker("network", "connect", network, guest)
    before = others.left()
    assert (len(before[0]), before[1]) == (len(others.containers), others.networks)

    await stack.client.stop_session(session)
    # A guest of the session's network keeps it from being removed, and is not taken for one of ours.
    await stack.wait_for_phase(session, "cleaning_up")
    # Listed anew each time: a container that was being created when the stop came lands later.
    async with asyncio.timeout(30):
        while [thing.kind for thing in await stack.things_of(session)] != ["network"]:
            await asyncio.sleep(0.1)
    assert others.left() == before
    # What the runbook of DryrunCleanupFails says to look for, and to do.
    async with asyncio.timeout(30):
        while "has active endpoints" not in stack.orchestrator.log.read_text():
            await asyncio.sleep(0.1)
    there = docker("network", "inspect", "--format={{range .Containers}}{{.Name}} {{end}}", network).split()
    assert there == [docker("inspect", "--format={{.Name}}", guest).strip().removeprefix("/")]
    docker("network", "disconnect", "--force", network, guest)
    await stack.wait_until_ended(session)
    assert others.left() == before

    # Made last: when they are gone, the reaper has looked at all the others, too.
    due = remains(others, uuid4(), minutes=SOON)
    due.add(others.container(**of_owner(uuid4(), journal, minutes=20)))
    due.add(others.network(**of_owner(uuid4(), journal, minutes=20)))
    await until_gone(stack, due)
    assert others.left() == before

    await stack.orchestrator.kill()
    due = remains(others, uuid4(), minutes=SOON) | remains(others, journal, minutes=20)
    await stack.orchestrator.start()
    await until_gone(stack, due)
    assert others.left() == before


async def test_a_network_that_has_a_sessions_name_is_not_taken_over(stack: Stack, others: Others) -> None:
    session = uuid4()
    network = others.network(name=f"dryrun-{session}")
    headers = {"Authorization": f"Bearer {ORCHESTRATOR_TOKEN}", "X-Actor": "tests"}
    async with plain_client(base_url=stack.orchestrator.url, headers=headers) as http:
        (await http.put(f"/sessions/{session}", json={"template": "quick"})).raise_for_status()
        while (shown := (await http.get(f"/sessions/{session}")).json())["phase"] != "ended":
            await asyncio.sleep(0.1)
    assert shown["outcome"] == "failed"
    assert f"dryrun-{session} exists and does not carry this session's label" in shown["reason"]
    assert "not ours to remove" in shown["reason"]
    assert others.left() == ([], [network])
    # The approval API learned of it from its events alone.
    await require_every_event_once(stack)
    assert (await stack.session(session)).reason == shown["reason"]
