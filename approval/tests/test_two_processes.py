"""Two processes of the service side by side on one database: either serves everybody, and one may die."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import httpx2
import pytest
from served_orchestrator import served
from sqlalchemy import text

from dryrun_contract.event import PhaseChanged, SessionEnded
from dryrun_contract.session import Outcome, Phase

COMMAND = (sys.executable, "-c", "from approval_api.main import main; main()", "serve")
TOKEN = "token-of-two-processes"
EVENTS = 60


@asynccontextmanager
async def running(database_url, orchestrator_url, orchestrator_token):
    """Yield the process and a client of it, once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "APPROVAL_DATABASE_URL": database_url,
        "APPROVAL_TOKENS": f"ada:{TOKEN}",
        "APPROVAL_LISTEN": f"127.0.0.1:{port}",
        "APPROVAL_ORCHESTRATOR_URL": orchestrator_url,
        "APPROVAL_ORCHESTRATOR_TOKEN": orchestrator_token,
        "APPROVAL_LOG_LEVEL": "ERROR",
    }
    process = await asyncio.create_subprocess_exec(*COMMAND, env={"PATH": os.environ["PATH"], **settings})
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"http://127.0.0.1:{port}"
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
        try:
            async with asyncio.timeout(60):
                while True:
                    try:
                        if (await client.get("/readyz")).is_success:
                            break
                    except httpx2.ConnectError:
                        pass
                    await asyncio.sleep(0.05)
            yield process, client
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


@pytest.fixture
async def pair(database_url, orchestrator):
    async with AsyncExitStack() as exits:
        url = await exits.enter_async_context(served(orchestrator))
        yield [
            await exits.enter_async_context(running(database_url, url, orchestrator.token)) for _ in range(2)
        ]


async def seqs_of(client, path):
    """Read a stream to its end; return the numbers of its events."""
    async with client.stream("GET", path, headers={"Accept": "text/event-stream"}) as answer:
        return [int(line[4:]) async for line in answer.aiter_lines() if line.startswith("id: ")]


async def test_each_sends_every_event_once_even_when_the_other_dies_midway(pair, orchestrator, engine):
    (first, asked), (_, other) = pair
    started = await asked.post("/api/v1/dryrun/sessions", json={"template": "small"})
    session_id = started.json()["id"]
    path = f"/api/v1/dryrun/sessions/{session_id}/events"
    assert (await other.get(f"/api/v1/dryrun/sessions/{session_id}")).json()["requested_by"] == "program:ada"
    reading = asyncio.create_task(seqs_of(other, path))
    doomed = asyncio.create_task(seqs_of(asked, path))
    for number in range(EVENTS):
        orchestrator.tell(UUID(session_id), PhaseChanged(phase=Phase.SCANNING))
        await asyncio.sleep(0.01)
        if number == EVENTS // 2:
            first.send_signal(signal.SIGKILL)
    last = orchestrator.tell(UUID(session_id), SessionEnded(outcome=Outcome.COMPLETED)).seq
    async with asyncio.timeout(60):
        assert await reading == list(range(1, last + 1))
    with pytest.raises(httpx2.HTTPError):
        await doomed
    async with engine.connect() as connection:
        stored = await connection.execute(text("SELECT seq FROM gateway.dryrun_events ORDER BY seq"))
        assert list(stored.scalars()) == list(range(1, last + 1))
        assert await connection.scalar(text("SELECT seq FROM gateway.follower_position")) == last
