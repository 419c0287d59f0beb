"""The tasks that run for each host as long as the process lives: its events, its check, its reaper."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

from dryrun_orchestrator import metrics
from dryrun_orchestrator.engine.errors import EngineError
from dryrun_orchestrator.hosts.engine_watch import follow_engine_events
from dryrun_orchestrator.hosts.host import Host
from dryrun_orchestrator.hosts.host_check import HostCheck
from dryrun_orchestrator.hosts.hosts import Hosts
from dryrun_orchestrator.hosts.reaper import Reaper
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.settings import Settings
from dryrun_orchestrator.storage import NotStoredError

log = logging.getLogger(__name__)

AGAIN_SECONDS = 5.0
"""How long a task that failed is not begun anew."""


class HostCare:
    """The tasks of one host. One that hangs or answers what nobody expects holds up no other host."""

    def __init__(self, host: Host, hosts: Hosts, journal: Journal, settings: Settings) -> None:
        self._host = host
        self._hosts = hosts
        self._settings = settings
        self._reaper = Reaper(host.engine, journal)

    def begin(
        self,
        group: asyncio.TaskGroup,
        wake: Callable[[UUID, str], None],
        wake_all: Callable[[], None],
        users: Callable[[], set[UUID]],
    ) -> None:
        """Start the tasks. `users` returns the running sessions that stand on this host."""

        def wake_user(session_id: UUID, container_id: str) -> None:
            # A host may report anything, but only of its own sessions.
            if session_id in users():
                wake(session_id, container_id)

        async def follow() -> None:
            await follow_engine_events(self._host.engine, wake_user, wake_all, self._tell_up)

        check = HostCheck(self._host, self._settings, lambda: bool(users()), self._tell_isolated)
        works: list[Callable[[], Awaitable[None]]] = [
            check.check_forever,
            follow,
            partial(self._reap_forever, users),
        ]
        if self._hosts.fleet is not None:
            works.append(self._host.keep_pulse)
        for work in works:
            group.create_task(self._again_and_again(work))

    async def _again_and_again(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do what never ends; where it fails, begin it anew: it would end all hosts' sessions."""
        while True:
            try:
                await work()
            except Exception:
                log.exception("host %s: a task failed; beginning it anew", self._host.name or "of the engine")
            await asyncio.sleep(AGAIN_SECONDS)

    async def _reap_forever(self, users: Callable[[], set[UUID]]) -> None:
        def busy() -> set[UUID]:
            checking = self._host.isolation.checking
            return users() | (set() if checking is None else {checking})

        while True:
            try:
                await self._reaper.round(busy)
            except (EngineError, NotStoredError) as error:
                log.warning("reaper: %s; trying again", error)
            await asyncio.sleep(self._settings.reaper_seconds)

    def _tell_isolated(self, isolated: bool) -> None:
        self._host.is_isolated = isolated
        if self._host.name:
            metrics.HOST_ISOLATED.labels(host=self._host.name).set(isolated)
        self._measure()

    def _tell_up(self, up: bool) -> None:
        self._host.is_followed = up
        if not up:
            self._host.isolation.doubt()
            self._host.preflight.forget()
        self._measure()

    def _measure(self) -> None:
        """Set the metrics of all hosts together; called about once a second for each host, drained ones too.

        Drained hosts do not count: they may be off. A host that does not answer is not known to be isolated,
        but that does not mean that it answers inside a session: it has metrics of its own.
        """
        in_use = self._hosts.in_use
        metrics.ENGINE_UP.set(all(host.is_followed for host in in_use))
        metrics.ISOLATED.set(all(host.is_isolated for host in in_use if host.answers))
