"""Checks that the host is silent towards networks of sessions: at the start, and again while they exist."""

import asyncio
import logging
import math
import time
from collections.abc import Callable

from dryrun_orchestrator import metrics
from dryrun_orchestrator.engine.protocol import EngineError
from dryrun_orchestrator.session.context import SessionFailedError
from dryrun_orchestrator.session.isolation import Isolation
from dryrun_orchestrator.session.preflight import Preflight
from dryrun_orchestrator.session.subnets import SubnetPoolExhaustedError
from dryrun_orchestrator.settings import Settings

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often the age of the last isolation proof is checked."""


class HostCheck:
    """The check of one orchestrator; `is_needed` says whether networks exist that need it."""

    def __init__(
        self, preflight: Preflight, isolation: Isolation, settings: Settings, is_needed: Callable[[], bool]
    ) -> None:
        self._preflight = preflight
        self._isolation = isolation
        self._settings = settings
        self._is_needed = is_needed
        self.fault: str | None = None
        """Why the host could not be checked: no engine, or a proxy that refuses calls. None otherwise."""

    async def check_forever(self) -> None:
        """Probe at start-up, and again while isolation is not proved or sessions run.

        Only a check clears `fault`: a session's own probe may have succeeded meanwhile.
        """
        settings = self._settings
        tried_at = -math.inf
        while True:
            isolated = self._isolation.last is not None and self._isolation.last.isolated
            if self.fault is None and isolated:
                is_old = self._isolation.seconds_since_verdict >= settings.isolation_seconds
                due = is_old and self._is_needed()
            else:
                due = time.monotonic() - tried_at >= settings.reaper_seconds
            if due:
                await self._check()
                tried_at = time.monotonic()
                isolated = self._isolation.last is not None and self._isolation.last.isolated
            metrics.ISOLATED.set(isolated)
            await asyncio.sleep(min(LOOK_SECONDS, settings.reaper_seconds))

    async def _check(self) -> None:
        try:
            if self.fault is not None or self._isolation.last is None:
                await self._preflight.check()
            await self._isolation.check_host()
        except (EngineError, SessionFailedError, SubnetPoolExhaustedError) as error:
            self.fault = str(error) or type(error).__name__
            log.warning("isolation check: %s", self.fault)
        else:
            self.fault = None
