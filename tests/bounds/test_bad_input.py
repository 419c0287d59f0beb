"""Bad input, misbehaving collectors, a failing engine or database: a clear error, and nothing left behind."""

import asyncio
import contextlib
import os
import random
import re
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import pytest_asyncio
from bad_collectors import CHATTY_LINES, GARBAGE_LINES, built_collectors, write_allowlist
from engine_proxy import Call, EngineProxy
from event_ledger import Tail, journal_rows, require_every_event_once
from local_stack import ORCHESTRATOR_TOKEN, ROOT, Stack
from quick_stack import open_quick_stack

from dryrun_cli.errors import ApiRefusedError
from dryrun_contract.event import Event
from dryrun_contract.session import SessionView
from dryrun_local.machine.engine_view import open_engine
from dryrun_local.system.postgres import running_postgres

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.asyncio(loop_scope="module")]

type Docker = Callable[..., str]

HANG_SECONDS = 6
"""Long enough for a container to begin and to say a word, on a busy machine too."""
OUTPUT_BYTES = 256 * 1024
WAITING_SECONDS = 8
"""Long enough for a cache that is healthy in half a second, with an engine that is away for one."""
GHOST_ID = "sha256:" + "0" * 64
TEMPLATE = """
x-dryrun: {{title: One machine, description: A cache., collectors: {collectors}}}
services:
  cache: {{image: "discovery/test-redis:8.0", x-ground-truth: [{{kind: host, key: ""}}]}}
"""
TEMPLATES = {
    "badly-collected": TEMPLATE.format(collectors="[crash, flood, garbage, hang]"),
    "chatty": TEMPLATE.format(collectors="[chatty]"),
    "ghost": """
x-dryrun: {title: A ghost, description: Its image is not there., collectors: [chatty]}
services:
  ghost: {image: "discovery/test-ghost:1.0"}
  cache: {image: "discovery/test-redis:8.0", x-ground-truth: [{kind: host, key: ""}]}
""",
    "mistaken": """
x-dryrun: {description: It has no title.}
services:
  web:
    image: nginx:latest
    privileged: true
    depends_on: [wbe]
    x-ground-truth:
      - {kind: hots, key: ""}
""",
}


@dataclass(frozen=True, slots=True)
class Wired:
    stack: Stack
    proxy: EngineProxy
    pool: IPv4Network
    exits: AsyncExitStack
    """For what a test starts in the place of something it ended."""


@pytest.fixture(scope="module")
def operator_files() -> Iterator[Path]:
    def docker(*arguments: str) -> str:
        return subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=60, check=True
        ).stdout.strip()

    with (
        tempfile.TemporaryDirectory() as folder,
        built_collectors(docker, Path(folder), HANG_SECONDS) as images,
    ):
        ghost = {"discovery/test-ghost:1.0": {"id": GHOST_ID}}
        write_allowlist(Path(folder) / "allowlist.json", images, **ghost)
        yield Path(folder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wired(empty_cluster: Path, operator_files: Path) -> AsyncIterator[Wired]:
    async with open_engine(os.environ) as engine:
        networks = await engine.get("/networks")
    ranges = [each["Subnet"] for network in networks for each in network["IPAM"]["Config"] or ()]
    taken = [IPv4Network(each) for each in ranges if ":" not in each]
    # Two subnets that nobody has, and nobody else is likely to choose at this moment.
    pools = IPv4Network("10.213.192.0/20").subnets(new_prefix=26)
    pool = random.choice([pool for pool in pools if not any(pool.overlaps(other) for other in taken)])
    settings = {
        "ORCHESTRATOR_SUBNET_POOL": str(pool),
        "ORCHESTRATOR_ALLOWLIST": str(operator_files / "allowlist.json"),
        "ORCHESTRATOR_COLLECTORS_DIR": str(operator_files / "collectors"),
        "ORCHESTRATOR_OUTPUT_BYTES": str(OUTPUT_BYTES),
        "ORCHESTRATOR_WAITING_SECONDS": str(WAITING_SECONDS),
        "ORCHESTRATOR_ENGINE_WAIT_SECONDS": "1",
        "ORCHESTRATOR_REAPER_SECONDS": "1",
    }
    async with (
        open_quick_stack(empty_cluster, settings, TEMPLATES) as (stack, proxy),
        AsyncExitStack() as exits,
    ):
        # The check at the start has its verdict a moment before its network is gone.
        await until_no_network_is_left(stack)
        yield Wired(stack, proxy, pool, exits)
        # A test that failed may have left it cut.
        await proxy.mend()
        await stack.orchestrator.until_ready()


def event_data(stack: Stack, session_id: UUID, kind: str) -> list[dict[str, Any]]:
    return [
        data for _, session, name, data in journal_rows(stack) if (session, name) == (str(session_id), kind)
    ]


async def ended(stack: Stack, session_id: UUID) -> SessionView:
    session = await stack.wait_until_ended(session_id)
    assert await stack.things_of(session_id) == []
    await require_every_event_once(stack)
    return session


def says(text: str | None, *words: str) -> None:
    """The text holds each of the words that a person needs."""
    assert [word for word in words if word not in (text or "")] == [], text


def is_discovery(event: Event) -> bool:
    return event.data.type == "discovery_reported"


def is_phase(phase: str) -> Callable[[Event], bool]:
    return lambda event: event.data.type == "phase_changed" and event.data.phase == phase


async def test_an_unknown_template_is_answered_with_the_known_ones(wired: Wired) -> None:
    with pytest.raises(ApiRefusedError) as refused:
        await wired.stack.start_session("smal")
    problem = refused.value.problem
    assert (problem.status, problem.type) == (404, "urn:dryrun:problem:unknown-template")
    says(problem.detail, "no template 'smal'", "badly-collected, chatty, ghost, mistaken, quick")
    assert await wired.stack.owned_things() == []


async def test_reports_all_mistakes_of_a_template_at_once_and_other_templates_work(wired: Wired) -> None:
    with pytest.raises(ApiRefusedError) as refused:
        await wired.stack.start_session("mistaken")
    problem = refused.value.problem
    assert problem.status == 422
    assert [(fault.where.split(":", 2)[0], fault.where.rsplit(": ", 1)[1]) for fault in problem.faults] == [
        ("templates/mistaken.yml", path)
        for path in (
            "x-dryrun",
            "services.web.image",
            "services.web.privileged",
            "services.web.depends_on[0]",
            "services.web.x-ground-truth[0].kind",
        )
    ]
    for fault, words in zip(
        problem.faults,
        (
            "'title' is missing",
            "only images under discovery/test-",
            "outside the subset",
            "no service 'wbe'",
            "'hots'",
        ),
        strict=True,
    ):
        says(fault.what, words)
    listed = [template["id"] for template in await wired.stack.client.templates()]
    assert listed == ["badly-collected", "chatty", "ghost", "quick"]
    assert await wired.stack.owned_things() == []


async def test_an_image_that_is_not_there_is_named_and_not_pulled(wired: Wired) -> None:
    session = await ended(wired.stack, await wired.stack.start_session("ghost"))
    assert session.outcome == "failed"
    says(
        session.reason,
        "discovery/test-ghost:1.0 of service ghost is missing",
        "No such image",
        "never pulled",
    )
    says(session.reason, "`dryrun-local images build` builds it")


async def test_an_allowlist_with_an_image_outside_the_prefix_stops_the_start(tmp_path: Path) -> None:
    write_allowlist(tmp_path / "allowlist.json", {}, **{"nginx:latest": {"id": GHOST_ID}})
    done = await asyncio.to_thread(
        subprocess.run,
        [ROOT / ".venv" / "bin" / "dryrun-orchestrator", "serve"],
        env={
            "ORCHESTRATOR_TOKEN": ORCHESTRATOR_TOKEN,
            "ORCHESTRATOR_LISTEN": "127.0.0.1:0",
            "ORCHESTRATOR_STATE_DIR": str(tmp_path / "state"),
            "ORCHESTRATOR_TEMPLATES_DIR": str(ROOT / "templates"),
            "ORCHESTRATOR_COLLECTORS_DIR": str(ROOT / "collectors" / "manifests"),
            "ORCHESTRATOR_ALLOWLIST": str(tmp_path / "allowlist.json"),
        },
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode not in (0, None)
    says(done.stderr, str(tmp_path / "allowlist.json"), "images.nginx:latest", "outside discovery/test-")


async def test_misbehaving_collectors_are_distinguished_and_end_no_session(wired: Wired) -> None:
    session_id = await wired.stack.start_session("badly-collected")
    session = await ended(wired.stack, session_id)
    assert (session.outcome, session.reason) == ("completed", None)
    runs = {run["collector"]: run for run in event_data(wired.stack, session_id, "collector_ended")}
    how = {name: (run["complete"], run["truncated"], run["reason"]) for name, run in runs.items()}
    words = "it said last: cannot go on: the answer of 10.213.0.1 makes no sense"
    assert how == {
        "crash": (False, False, f"the collector ended with exit code 1; {words}"),
        "hang": (False, False, f"it did not end within {HANG_SECONDS} s"),
        "flood": (False, True, f"its output is longer than {OUTPUT_BYTES} bytes"),
        "garbage": (True, False, None),
    }
    counts = {name: (run["discoveries"], run["warnings"]) for name, run in runs.items() if name != "flood"}
    assert counts == {"crash": (1, 0), "hang": (1, 0), "garbage": (1, GARBAGE_LINES)}
    # None of its lines is shorter than 80 bytes.
    assert 0 < runs["flood"]["discoveries"] < OUTPUT_BYTES / 80
    # What a collector writes cannot move a cursor, wherever the warning is shown.
    warnings = [data["message"] for data in event_data(wired.stack, session_id, "collector_warned")]
    assert len(warnings) == GARBAGE_LINES
    assert all(message.isprintable() for message in warnings)


async def test_an_engine_that_is_away_for_a_while_costs_nothing_but_time(wired: Wired) -> None:
    stack, proxy = wired.stack, wired.proxy
    tail = Tail(stack)
    session_id = await stack.start_session("chatty")
    for moment in (
        is_phase("waiting"),
        is_discovery,
        is_phase("cleaning_up"),
    ):
        await tail.until(session_id, moment)
        await proxy.cut()
        await asyncio.sleep(1)
        await proxy.mend()
    session = await ended(stack, session_id)
    assert (session.outcome, session.reason) == ("completed", None)
    (run,) = event_data(stack, session_id, "collector_ended")
    assert (run["complete"], run["reason"], run["discoveries"]) == (True, None, CHATTY_LINES)
    assert len(event_data(stack, session_id, "discovery_reported")) == CHATTY_LINES


async def test_an_engine_that_stays_away_fails_the_session_which_ends_once_it_is_back(wired: Wired) -> None:
    stack, proxy = wired.stack, wired.proxy
    tail = Tail(stack)

    async def cut_before_health_is_known(call: Call, _: bytes) -> None:
        phases = [data["phase"] for _, _, kind, data in journal_rows(stack) if kind == "phase_changed"]
        if phases[-1:] == ["waiting"] and re.fullmatch(
            r"GET /containers/[0-9a-f]+/json", f"{call.method} {call.path}"
        ):
            proxy.on_answer = None
            await proxy.cut()

    proxy.on_answer = cut_before_health_is_known
    session_id = await stack.start_session("chatty")
    await tail.until(session_id, is_phase("cleaning_up"))
    # It does not claim to have ended while it cannot know: its things are still there.
    assert {thing.kind for thing in await stack.things_of(session_id)} == {"container", "network"}
    await asyncio.sleep(0.5)
    assert (await stack.session(session_id)).phase == "cleaning_up"
    await proxy.mend()
    session = await ended(stack, session_id)
    assert session.outcome == "failed"
    says(
        session.reason,
        f"phase waiting did not end within {WAITING_SECONDS} s",
        "last trouble",
        proxy.docker_host,
    )


async def readiness(stack: Stack) -> dict[str, str]:
    """Return what `/readyz` says of each part, once the process answers."""
    while True:
        with contextlib.suppress(httpx2.TransportError):
            checks: dict[str, str] = (await stack.orchestrator_get("/readyz")).json()["checks"]
            return checks
        await asyncio.sleep(0.05)


async def readiness_without(stack: Stack, what: str, seconds: float = 60) -> dict[str, str]:
    """Return the readiness once its isolation check no longer says `what`."""
    async with asyncio.timeout(seconds):
        while what in (checks := await readiness(stack))["isolation"]:
            await asyncio.sleep(0.1)
    return checks


async def until_no_network_is_left(stack: Stack, seconds: float = 60) -> None:
    """Wait for checks of the host, which have networks of their own."""
    await stack.orchestrator.until_ready()
    async with asyncio.timeout(seconds):
        while await stack.owned_things():
            await asyncio.sleep(0.1)


async def test_readiness_names_a_missing_engine_then_missing_subnets(wired: Wired, docker: Docker) -> None:
    stack, proxy = wired.stack, wired.proxy
    await until_no_network_is_left(stack)
    await proxy.cut()
    await stack.orchestrator.kill()
    await stack.orchestrator.start(ready=False)
    foreign = []
    try:
        checks = await readiness_without(stack, "not probed yet")
        for part in ("engine", "isolation"):
            says(
                checks[part],
                "no:",
                "check that the engine, and the proxy before it, run at",
                proxy.docker_host,
            )
        session = await ended(stack, await stack.start_session("chatty"))
        assert session.outcome == "failed"
        says(session.reason, "the guard before the Docker Engine does not answer", "start it", "make up")

        foreign = [
            docker("network", "create", "--internal", f"--subnet={subnet}", f"foreign-{uuid4()}")
            for subnet in wired.pool.subnets(new_prefix=27)
        ]
        await proxy.mend()
        checks = await readiness_without(stack, "check that the engine")
        says(checks["isolation"], "no:", "no subnet is free", str(wired.pool), "ORCHESTRATOR_SUBNET_POOL")
        session = await ended(stack, await stack.start_session("chatty"))
        assert session.outcome == "failed"
        says(
            session.reason, "no subnet is free", f"each of the 2 (/27) that are left of the pool {wired.pool}"
        )
        says(session.reason, "wait for a session to end", "ORCHESTRATOR_SUBNET_POOL")
        assert {thing.id for thing in await stack.engine.things()} >= set(foreign)
    finally:
        await proxy.mend()
        for network in foreign:
            docker("network", "rm", network)
    await stack.orchestrator.until_ready()


async def test_postgresql_restarted_while_events_flow_loses_and_doubles_nothing(wired: Wired) -> None:
    stack = wired.stack
    tail = Tail(stack)
    session_id = await stack.start_session("chatty")
    await tail.until(session_id, is_discovery)
    folder = stack.installation.state / "postgres"
    server = int((folder / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    # At once, without a checkpoint: what it had not promised to keep is gone.
    os.kill(server, signal.SIGQUIT)
    async with asyncio.timeout(10):
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(server, 0)
                await asyncio.sleep(0.02)
    # Long enough for many a try of the follower.
    await asyncio.sleep(0.5)
    await wired.exits.enter_async_context(running_postgres(stack.installation, os.environ))
    session = await ended(stack, session_id)
    assert session.outcome == "completed"
    assert len(event_data(stack, session_id, "discovery_reported")) == CHATTY_LINES
