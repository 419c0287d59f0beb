"""A guard on a fake engine."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fake_engine import FakeEngine, running_engine
from guard_stage import ALLOWLIST, LISTEN, LISTEN_ID, SCAN, SCAN_ID, WEB, WEB_ID, Guard, Log

from docker_guard.audit.audit_log import AuditLog
from docker_guard.calls.gate import Gate
from docker_guard.clients.front_door import FrontDoor
from docker_guard.engine.client import Engine
from docker_guard.rules.allowlist import AllowlistReader
from docker_guard.rules.policy import Policy
from docker_guard.sessions.deadlines import Deadlines


@pytest.fixture
def allowlist_file(tmp_path: Path) -> Path:
    path = tmp_path / "allowlist.json"
    path.write_text(json.dumps(ALLOWLIST))
    return path


@pytest.fixture
def policy() -> Policy:
    """The policy of the guard; a test module may have its own."""
    return Policy(head_seconds=0.3, body_seconds=0.3, stalled_seconds=1)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    async with running_engine(tmp_path / "engine.sock") as engine:
        engine.images = {WEB: WEB_ID, SCAN: SCAN_ID, LISTEN: LISTEN_ID}
        yield engine


@pytest.fixture
async def guard(
    tmp_path: Path, engine: FakeEngine, allowlist_file: Path, policy: Policy
) -> AsyncIterator[Guard]:
    socket, log = tmp_path / "guard.sock", Log()
    client = Engine(f"unix://{tmp_path / 'engine.sock'}", policy)
    gate = Gate(client, AllowlistReader(allowlist_file, policy), policy, Deadlines(policy))
    door = FrontDoor(gate, policy, AuditLog(log.write))
    server = await asyncio.get_running_loop().create_unix_server(door.connection, str(socket))
    yield Guard(socket, engine, log, door)
    server.close()
    await door.say_goodbye()
    await client.close()
