"""A worker's guard, with the engine that it guards and the managers that it asks."""

import asyncio
from contextlib import asynccontextmanager

from fake_engine import FakeEngine
from guard_stage import Guard, Log, Words

from docker_guard.audit.audit_log import AuditLog
from docker_guard.calls.gate import Gate
from docker_guard.clients.front_door import FrontDoor
from docker_guard.engine.client import Engine
from docker_guard.rules.allowlist import AllowlistReader
from docker_guard.sessions.deadlines import Deadlines


@asynccontextmanager
async def worker_of(tmp_path, engine, allowlist_file, policy, managers=("manager",)):
    socket, log = tmp_path / "worker.sock", Log()
    client, *asked = (Engine(f"unix://{tmp_path / name}.sock", policy) for name in ("engine", *managers))
    gate = Gate(client, AllowlistReader(allowlist_file, policy), policy, Deadlines(policy), asked)
    door = FrontDoor(gate, policy, AuditLog(log.write))
    server = await asyncio.get_running_loop().create_unix_server(door.connection, str(socket))
    yield Guard(socket, engine, log, door)
    server.close()
    await door.say_goodbye()
    for each in (client, *asked):
        await each.close()


def lay(manager: FakeEngine, words: Words, **changes) -> str:
    """Make a session's overlay at the manager, as its engine lists it."""
    body = {**words.overlay(), "Ingress": False, **changes}
    return manager.add_network(body.pop("Labels"), body.pop("Name"), **body)
