"""Checks that the host is silent towards networks of sessions: at the start, and again while they exist."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from datetime import datetime

from dryrun_orchestrator import metrics
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.engine.errors import EngineError
from dryrun_orchestrator.hosts.host import Host
from dryrun_orchestrator.session.failure import SessionFailedError
from dryrun_orchestrator.session.removal import LeftoverError
from dryrun_orchestrator.session.subnets import SubnetPoolExhaustedError
from dryrun_orchestrator.settings import Settings

log = logging.getLogger(__name__)

CLOCK_SECONDS = 2.0
"""How far the clocks of a fleet's hosts may be apart."""
RETRY_SECONDS = 10.0
"""At most, between two checks of a host that cannot be used: readiness says what the last one found."""
LOOK_SECONDS = 1.0
"""How often the age of the last isolation proof is checked."""


class HostCheck:
    """The check of one host; `is_needed` says whether networks exist there that need it."""

    def __init__(
        self,
        host: Host,
        settings: Settings,
        is_needed: Callable[[], bool],
        tell_isolated: Callable[[bool], None] = metrics.ISOLATED.set,
    ) -> None:
        self._host = host
        self._settings = settings
        self._is_needed = is_needed
        self._tell_isolated = tell_isolated

    async def check_forever(self) -> None:
        """Probe at start-up, and again while isolation is not proved or sessions run.

        Only a check clears the host's `fault`: a session's own probe may have succeeded meanwhile.
        """
        settings = self._settings
        retry_seconds = min(RETRY_SECONDS, settings.reaper_seconds)
        tried_at = -math.inf
        was_followed = self._host.is_followed
        while True:
            # What was wrong with an engine that has just come back may be over.
            has_come_back = self._host.is_followed and not was_followed
            isolated = self._host.isolation.last is not None and self._host.isolation.last.isolated
            if self._host.fault is None and isolated:
                is_old = self._host.isolation.seconds_since_verdict >= settings.isolation_seconds
                is_back = self._host.isolation.is_doubted and self._host.is_followed
                due = (is_old or is_back) and self._is_needed()
            else:
                due = has_come_back or time.monotonic() - tried_at >= retry_seconds
            if due:
                await self._check()
                tried_at = time.monotonic()
                isolated = self._host.isolation.last is not None and self._host.isolation.last.isolated
            self._tell_isolated(isolated)
            was_followed = self._host.is_followed
            await asyncio.sleep(min(LOOK_SECONDS, settings.reaper_seconds))

    async def _check(self) -> None:
        try:
            if self._host.fault is not None or not self._host.preflight.is_recent:
                await self._host.preflight.check()
            begun = utc_now()
            await self._host.isolation.check_host()
            fault = self._clock_fault(begun)
        except (EngineError, LeftoverError, SessionFailedError, SubnetPoolExhaustedError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # The process ends, and the error took the cancellation's place on its way. The reaper removes
                # what is left.
                raise asyncio.CancelledError from error
            self._host.fault = str(error) or type(error).__name__
            log.warning("isolation check: %s", self._host.fault)
        else:
            self._host.fault = fault
            self._host.is_checked = True

    def _clock_fault(self, begun: datetime) -> str | None:
        """Return by how much the clock of a fleet's host is wrong, beside this one's; None within bounds.

        Log lines of one host are assigned to collectors by when these ran on another; deadlines are times.
        """
        started = self._host.isolation.probe_started_at
        if not self._host.name or started is None:
            return None
        early, late = (begun - started).total_seconds(), (started - utc_now()).total_seconds()
        if max(early, late) <= CLOCK_SECONDS:
            return None
        return f"its clock is {max(early, late):.0f} s {'slow' if early > late else 'fast'}"
