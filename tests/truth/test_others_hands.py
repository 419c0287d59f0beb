"""What others do to a target during a scan ends the session, and is not reported as the scan's effect."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from event_ledger import Tail, journal_rows, require_every_event_once
from local_stack import Stack
from quick_stack import open_quick_stack

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(empty_cluster: Path) -> AsyncIterator[Stack]:
    async with open_quick_stack(empty_cluster, {}) as (opened, _):
        yield opened


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("stop", "--time=1"), "was stopped by somebody else"),
        (("kill",), "was stopped by somebody else"),
        (("pause",), "was paused by somebody else"),
        (("rm", "--force"), "was removed by somebody else"),
        (("network", "disconnect", "dryrun-{session}"), "is on no network"),
    ],
    ids=["stopped", "killed", "paused", "removed", "taken off its network"],
)
async def test_the_scan_is_not_blamed_for_what_others_do_to_a_target(
    stack: Stack, docker: Callable[..., str], command: tuple[str, ...], says: str
) -> None:
    tail = Tail(stack)
    session_id = await stack.start_session("quick")
    await tail.until(session_id, lambda event: event.data.type == "discovery_reported")
    ours = [f"--filter=label=discovery.dryrun.{row}" for row in (f"session_id={session_id}", "service=cache")]
    target = await asyncio.to_thread(docker, "ps", "--quiet", *ours)
    await asyncio.to_thread(docker, *(word.format(session=session_id) for word in command), target)
    session = await stack.wait_until_ended(session_id)
    assert session.outcome == "failed"
    assert f"service cache {says}" in (session.reason or "")
    assert "run it again" in (session.reason or "")
    harmed = [row for row in journal_rows(stack) if row[1:3] == (str(session_id), "target_harmed")]
    assert harmed == []
    assert await stack.things_of(session_id) == []
    await require_every_event_once(stack)
