"""A collector's output arrives completely, or the report says that it was cut: never silently short."""

import json
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from local_stack import ROOT, Stack, open_stack
from log_cutter import LogCutter, open_log_cutter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from dryrun_contract.collector_config import CONFIG_KEYS
from dryrun_contract.event import CollectorEnded

pytestmark = [pytest.mark.engine, pytest.mark.long(200), pytest.mark.timeout(900)]

type StartStack = Callable[..., Awaitable[Stack]]

IMAGE = "discovery/test-collector-flood"
FOLDER = ROOT / "tests" / "support" / "flood"
MILLION = 1_000_000
DISCOVERY_EVERY, WARNING_EVERY = 200, 500
FLOOD = {"lines": MILLION, "discovery_every": DISCOVERY_EVERY, "warning_every": WARNING_EVERY}
LONG_LINE = json.dumps({"type": "progress", "done": 1, "message": 150 * "y"}, separators=(",", ":"))
TALK = {"lines": 4000, "discovery_every": 2, "warning_every": 401, "pause_seconds": 0.2}
"""8 pieces of 500 lines over 1.6 s, 160 kB."""
CUTS = 10
TEMPLATE = """
x-dryrun:
  title: One machine
  description: A cache, and a collector that talks.
  credentials:
    - {{engine: flood, password: '{wanted}'}}
services:
  cache:
    image: discovery/test-redis:8.0
    x-ground-truth:
      - {{kind: host, key: ""}}
"""
MANIFEST = """
name: flood
image: {image}
summary: Says as much as it is ordered to.
provides: [service]
credentials: [flood]
timeout_seconds: 240
"""


@dataclass(frozen=True)
class Flooding:
    """A folder of templates whose collector is the flood, and the settings that make a stack use it."""

    folder: Path

    def template(self, name: str, wanted: dict[str, Any]) -> None:
        content = TEMPLATE.format(wanted=json.dumps(wanted))
        (self.folder / "templates" / f"{name}.yml").write_text(content, encoding="utf-8")

    @property
    def settings(self) -> dict[str, str]:
        return {
            "ORCHESTRATOR_TEMPLATES_DIR": str(self.folder / "templates"),
            "ORCHESTRATOR_COLLECTORS_DIR": str(self.folder / "collectors"),
            "ORCHESTRATOR_ALLOWLIST": str(self.folder / "allowlist.json"),
        }


@pytest.fixture(scope="module")
def flooding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flooding]:
    """Build the image, pin it beside the others, and remove it in the end."""
    folder = tmp_path_factory.mktemp("flooding")
    # Another run of these tests may be building its own.
    image = f"{IMAGE}:{folder.stat().st_ino}"
    docker("build", "--quiet", "--tag", image, str(FOLDER))
    try:
        entry = {
            "id": docker("image", "inspect", "--format={{.Id}}", image),
            "environment": list(CONFIG_KEYS),
        }
        allowlist = json.loads((ROOT / ".dryrun" / "allowlist.json").read_text(encoding="utf-8"))
        allowlist["images"][image] = entry
        (folder / "allowlist.json").write_text(json.dumps(allowlist), encoding="utf-8")
        for name in ("templates", "collectors"):
            (folder / name).mkdir()
        (folder / "collectors" / "flood.yml").write_text(MANIFEST.format(image=image), encoding="utf-8")
        found = Flooding(folder)
        found.template("flood", FLOOD)
        found.template("long-flood", {"lines": MILLION, "word": LONG_LINE})
        found.template("talk", TALK)
        yield found
    finally:
        docker("image", "rm", image)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at_default_limits(
    empty_cluster: Path, flooding: Flooding
) -> AsyncIterator[tuple[Stack, LogCutter]]:
    """A system with the limits that an operator gets, and the test's hand on its wire to the engine."""
    with TemporaryDirectory(prefix="dt-") as state:
        async with open_log_cutter() as cutter:
            settings = flooding.settings | {"DOCKER_HOST": cutter.docker_host}
            async with open_stack(Path(state), empty_cluster, settings) as stack:
                yield stack, cutter


async def test_a_million_lines_arrive_whole(start_stack: StartStack, flooding: Flooding) -> None:
    raised = {
        "ORCHESTRATOR_OUTPUT_BYTES": str(64 * 1024 * 1024),
        "ORCHESTRATOR_OUTPUT_LINES": str(MILLION + 1),
        "ORCHESTRATOR_SESSION_SECONDS": "600",
    }
    stack = await start_stack(**flooding.settings, **raised)
    session_id = await stack.start_session("flood")
    # Half a minute on two idle cores, most of it the engine's own.
    session = await stack.wait_until_ended(session_id, seconds=240)
    assert session.outcome == "completed", session.reason

    ended = await ended_run(stack, session_id)
    assert ended.complete, ended.reason
    assert not ended.truncated
    assert ended.lines == MILLION + 1
    assert ended.discoveries == MILLION // DISCOVERY_EVERY
    assert ended.warnings == MILLION // WARNING_EVERY
    reported = await discovery_events(stack, session_id)
    assert reported == [(number + 1, flood_key(number)) for number in range(0, MILLION, DISCOVERY_EVERY)]
    assert Counter(await stored_keys(stack, session_id)) == Counter(key for _, key in reported)


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_beyond_the_limit_is_reported_as_truncated_and_its_collector_removed(
    at_default_limits: tuple[Stack, LogCutter],
) -> None:
    stack, _ = at_default_limits
    session_id = await stack.start_session("long-flood", keep=True)
    await stack.wait_for_phase(session_id, "kept")

    ended = await ended_run(stack, session_id)
    assert (ended.truncated, ended.complete) == (True, False)
    assert ended.reason == "its output is longer than 16777216 bytes"
    assert 0 < ended.lines < MILLION
    left = [thing.name for thing in await stack.things_of(session_id) if thing.kind == "container"]
    assert len(left) == 1, "the target is kept, the collector is gone"
    report = await stack.client.report(session_id)
    (run,) = report["collectors"]
    assert (run["truncated"], run["complete"], run["lines"]) == (True, False, ended.lines)
    assert b"truncated" in await stack.client.written_report(session_id, "markdown")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_log_connection_cut_ten_times_gives_the_same_discoveries(
    at_default_limits: tuple[Stack, LogCutter],
) -> None:
    stack, cutter = at_default_limits
    undisturbed = await stack.start_session("talk")
    await stack.wait_until_ended(undisturbed)
    assert cutter.cuts == 0
    cutter.limits = [5_000 + 17_321 * number for number in range(CUTS)]
    cut = await stack.start_session("talk")
    await stack.wait_until_ended(cut)
    assert cutter.cuts == CUTS

    expected = await discovery_events(stack, undisturbed)
    assert expected == [(number + 1, flood_key(number)) for number in range(0, TALK["lines"], 2)]
    assert await discovery_events(stack, cut) == expected
    assert await stored_keys(stack, cut) == await stored_keys(stack, undisturbed)
    ended = [(await ended_run(stack, each)).model_dump(exclude={"run"}) for each in (undisturbed, cut)]
    assert ended[0]["complete"]
    assert ended[1] == ended[0]


def flood_key(number: int) -> str:
    return f"10.213.{number >> 20}.{number >> 12 & 255}:{(number & 4095) + 1}/tcp"


async def ended_run(stack: Stack, session_id: UUID) -> CollectorEnded:
    ended = [event.data for event in await stack.events(session_id) if isinstance(event.data, CollectorEnded)]
    assert len(ended) == 1
    return ended[0]


async def discovery_events(stack: Stack, session_id: UUID) -> list[tuple[int, str]]:
    """Return line and key of every discovery event that PostgreSQL has, in the order of events."""
    rows = await query(
        stack,
        "SELECT (data->>'line')::int, data->'discovery'->>'key' FROM gateway.dryrun_events"
        " WHERE session_id = :session AND type = 'discovery_reported' ORDER BY seq",
        session_id,
    )
    return [(line, key) for line, key in rows]


async def stored_keys(stack: Stack, session_id: UUID) -> list[str]:
    sql = "SELECT key FROM gateway.dryrun_discoveries WHERE dryrun_session_id = :session ORDER BY key"
    return [key for (key,) in await query(stack, sql, session_id)]


async def query(stack: Stack, sql: str, session_id: UUID) -> list[Any]:
    engine = create_async_engine(stack.database_url)
    try:
        async with engine.connect() as connection:
            return list((await connection.execute(text(sql), {"session": session_id})).all())
    finally:
        await engine.dispose()


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr.strip()}"
    return done.stdout.strip()
