"""Composes settings, engine, gate, front door and deadline keeper for the life of the process."""

import asyncio
import signal
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from docker_guard.audit.audit_log import AuditLog
from docker_guard.audit.metrics_page import MAX_HEAD_BYTES, MetricsPage
from docker_guard.calls.gate import Gate
from docker_guard.clients.front_door import FrontDoor
from docker_guard.clients.listeners import BACKLOG, open_listener, take_connections
from docker_guard.clients.tls import TlsDoor, TlsFiles, client_context, server_context
from docker_guard.engine.client import Engine
from docker_guard.rules.allowlist import AllowlistReader
from docker_guard.rules.policy import ConfigurationError, Policy
from docker_guard.sessions.deadline_keeper import DeadlineKeeper
from docker_guard.sessions.deadlines import Deadlines
from docker_guard.sessions.own_thread import in_own_thread

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_MOST_MANAGERS = 7
"""More slow a swarm down."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """The options of `docker-guard serve`."""

    listen: tuple[str, ...]
    docker: str
    allowlist: Path
    policy: Path | None = None
    metrics: str | None = None
    tls: TlsFiles | None = None
    """For every TCP address."""
    managers: tuple[str, ...] = ()
    manager_tls: TlsFiles | None = None


def serve(settings: ServeSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigurationError before anything is open."""
    policy = Policy.load(settings.policy)
    allowlist = AllowlistReader(settings.allowlist, policy)
    context = server_context(settings.tls) if settings.tls else None
    managers = _managers(settings, policy)
    try:
        uvloop.run(_serve(settings, policy, allowlist, context, managers))
    finally:
        # The interpreter gives signals their default back before it takes down what was imported: a second
        # one would be how the process ended.
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _managers(settings: ServeSettings, policy: Policy) -> tuple[Engine, ...]:
    """Return the guards of the fleet's managers, which answer as engines do."""
    if not settings.managers or settings.manager_tls is None:
        return ()
    if policy.makes_overlays:
        raise ConfigurationError("makes_overlays is for managers, --manager for workers")
    if len(settings.managers) > _MOST_MANAGERS:
        raise ConfigurationError(
            f"--manager names {len(settings.managers)} guards; at most {_MOST_MANAGERS} are allowed"
        )
    context = client_context(settings.manager_tls)
    return tuple(Engine(manager, policy, context) for manager in settings.managers)


async def _serve(
    settings: ServeSettings,
    policy: Policy,
    allowlist: AllowlistReader,
    context: ssl.SSLContext | None,
    managers: tuple[Engine, ...] = (),
) -> None:
    record = AuditLog()
    deadlines = Deadlines(policy)
    engine = Engine(settings.docker, policy)
    door = FrontDoor(Gate(engine, allowlist, policy, deadlines, managers), policy, record)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    listeners = [open_listener(address) for address in settings.listen]
    tls_door = TlsDoor(door, context, policy, record) if context else None
    async with AsyncExitStack() as exits:
        exits.callback(record.line, "ended")
        exits.push_async_callback(engine.close)
        for manager in managers:
            exits.push_async_callback(manager.close)
        if settings.metrics:
            shown_at = open_listener(f"tcp://{settings.metrics}")
            page = await asyncio.start_server(
                MetricsPage().answer, sock=shown_at, limit=MAX_HEAD_BYTES, backlog=BACKLOG
            )
            exits.callback(page.close)

        async def keep_deadlines() -> None:
            own = Engine(settings.docker, policy)
            try:
                await DeadlineKeeper(own, policy, deadlines, record).keep()
            finally:
                await own.close()

        keeper = await exits.enter_async_context(in_own_thread(keep_deadlines, "deadline keeper"))
        taking: list[asyncio.Task[None]] = []
        for listener in listeners:
            if tls_door is not None and listener.family.name != "AF_UNIX":
                taking.append(asyncio.create_task(tls_door.serve(listener)))
            else:
                taking.append(asyncio.create_task(take_connections(listener, door.let_in)))
        record.line("serving", listen=list(settings.listen), tls=context is not None, docker=settings.docker)
        stopped = asyncio.create_task(stop.wait())
        ends: set[asyncio.Future[Any]] = {stopped, keeper, *taking}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in (keeper, *taking):
            if task.done():
                task.result()  # a guard that keeps no deadlines, or accepts nobody, must not go on
        for task in taking:
            task.cancel()
        await asyncio.gather(*taking, return_exceptions=True)
        await door.say_goodbye()
