"""A whole system that keeps one session of `quick` prepared, and waits for what becomes of it."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
from event_ledger import journal_rows, require_every_event_once
from local_stack import ROOT, Stack, open_stack, plain_client
from quick_stack import FOUND, QUICK, found_in

from dryrun_cli.errors import CliError
from dryrun_contract.session import SessionView


@asynccontextmanager
async def open_pool_stack(cluster: Path, settings: Mapping[str, str]) -> AsyncIterator[Stack]:
    """Run a stack that keeps one session of `quick` prepared, with files of its own to change."""
    with tempfile.TemporaryDirectory(prefix="dt-") as folder:
        state = Path(folder)
        templates = state / "templates"
        templates.mkdir()
        for name in ("quick", "other"):
            (templates / f"{name}.yml").write_text(QUICK, encoding="utf-8")
        shutil.copy(ROOT / ".dryrun" / "allowlist.json", state / "allowlist.json")
        own = {
            "ORCHESTRATOR_TEMPLATES_DIR": str(templates),
            "ORCHESTRATOR_ALLOWLIST": str(state / "allowlist.json"),
            "ORCHESTRATOR_POOL": "quick=1",
            "ORCHESTRATOR_POOL_SPARE_MEMORY": "0",
        }
        async with open_stack(state, cluster, own | dict(settings)) as stack:
            yield stack


async def until[T](look: Callable[[], Awaitable[T | None]], seconds: float = 90) -> T:
    """Return what `look` returns once that is something."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):
            await asyncio.sleep(0.3)
    return found


async def line(stack: Stack) -> dict[str, Any]:
    (found,) = (await stack.orchestrator_get("/pool")).json()["lines"]
    return dict(found)


async def is_alive(stack: Stack) -> bool:
    try:
        async with plain_client(timeout=20) as http:
            return (await http.get(f"{stack.orchestrator.url}/livez")).is_success
    except httpx2.HTTPError:
        return False


async def ready(stack: Stack, *, other_than: UUID | None = None) -> UUID:
    async def look() -> UUID | None:
        if not await is_alive(stack):
            return None
        ids = [UUID(each["id"]) for each in (await line(stack))["ready"]]
        return next((each for each in ids if each != other_than), None)

    return await until(look)


async def require_whole(stack: Stack, session_id: UUID) -> SessionView:
    """Require that a session found what is there, ends with every event once, and leaves nothing."""
    session = await stack.wait_until_ended(session_id, 180)
    assert (session.outcome, session.reason) == ("completed", None)
    assert found_in(stack, session_id) == FOUND
    assert await stack.things_of(session_id) == []
    kinds = [kind for _, owner, kind, _ in journal_rows(stack) if owner == str(session_id)]
    for once in ("session_queued", "network_created", "session_ended"):
        assert kinds.count(once) == 1, once
    assert kinds[0] == "session_queued"
    await require_every_event_once(stack)
    return session


async def start_while_killed(stack: Stack, seconds: float) -> UUID | None:
    """Start a session of `quick`, and kill the orchestrator so long after; return its id.

    None when the orchestrator died before it named the template: then nothing was stored.
    """
    start = asyncio.create_task(stack.start_session("quick"))
    await asyncio.sleep(seconds)
    await stack.orchestrator.kill()
    await stack.orchestrator.start(ready=False)
    try:
        return await start
    except CliError:
        return None


async def gone(stack: Stack, session_id: UUID) -> None:
    async def look() -> bool:
        return not await stack.things_of(session_id)

    await until(look)
