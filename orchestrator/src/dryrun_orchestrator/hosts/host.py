"""One host of those that sessions run on: whether it answers, and why it gets no new session."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from dryrun_orchestrator import labels, metrics
from dryrun_orchestrator.engine.errors import EngineError
from dryrun_orchestrator.engine.protocol import Engine
from dryrun_orchestrator.session.isolation import Isolation
from dryrun_orchestrator.session.preflight import Preflight

PULSE_SECONDS: Final = 5.0
"""How often a host is asked whether it answers."""
ANSWER_SECONDS: Final = 5.0
"""A host that takes longer for that has not answered."""
ABSENT_SECONDS: Final = 12.0
"""A host that has not answered for this long gets no new session."""
_NO_SESSION: Final = f"{labels.SESSION_ID}=none"
LOST_SECONDS: Final = 60.0
"""A session on a host that has not answered for this long ends."""


@dataclass(slots=True)
class Host:
    """One host. `name` is empty where there is no fleet."""

    name: str
    own_engine: Engine
    """The engine, by its own ids."""
    engine: Engine
    """The engine, by the fleet's ids; the same one where there is no fleet."""
    isolation: Isolation
    preflight: Preflight
    is_manager: bool = False
    answered_at: float = field(default_factory=time.monotonic)
    manages_at: float = field(default_factory=time.monotonic)
    """When its swarm answered last, for a manager."""
    manager_fault: str | None = None
    """Why its swarm did not answer at the last try."""
    last_silence: tuple[float, float] = (-math.inf, 0.0)
    """When its last silence of more than `ABSENT_SECONDS` ended, and the seconds it lasted."""
    fault: str | None = None
    """Why it could not be checked; None otherwise."""
    is_checked: bool = False
    """Whether a check of it came to an end; the probe's verdict comes earlier."""
    is_isolated: bool = False
    is_followed: bool = False
    """Whether its engine's events are followed."""
    available_bytes: int | None = None
    """Memory that it can still give, by the last answer of its guard; None where none says so."""

    @property
    def silent_seconds(self) -> float:
        """Return for how long it has not answered."""
        return time.monotonic() - self.answered_at

    @property
    def answers(self) -> bool:
        """Return whether it answered a moment ago; always true without a fleet, where nobody asks."""
        return not self.name or self.silent_seconds <= ABSENT_SECONDS

    def silence_since(self, began: float) -> float | None:
        """Return the seconds of a silence of more than `ABSENT_SECONDS` at `began` (monotonic) or later."""
        if self.silent_seconds > ABSENT_SECONDS:
            return self.silent_seconds
        ended, seconds = self.last_silence
        return seconds if ended >= began else None

    @property
    def obstacle(self) -> str | None:
        """Return why it gets no new session; None when it may."""
        if self.fault is not None:
            return self.fault
        if self.silent_seconds > ABSENT_SECONDS:
            return f"it has not answered for {self.silent_seconds:.0f} s"
        last = self.isolation.last
        if last is None or not self.is_checked:
            return "it is not checked yet"
        # However old: nothing is probed while no session runs, and each session proves its own network first.
        return None if last.isolated else last.detail

    @property
    def is_lost(self) -> bool:
        """Return whether sessions on it end."""
        return self.silent_seconds > LOST_SECONDS

    def available_since(self, moment: float) -> int | None:
        """Return the memory that it can still give; None until it has answered after `moment` (monotonic).

        A host is asked once in a pulse, so its last answer may be older than what was just given back.
        """
        return self.available_bytes if time.monotonic() - moment > 2 * PULSE_SECONDS else None

    @property
    def manages(self) -> bool:
        """Return whether its swarm could be asked a moment ago."""
        return self.is_manager and time.monotonic() - self.manages_at <= ABSENT_SECONDS

    async def keep_pulse(self) -> None:
        """Ask whether it answers, and a manager whether its swarm does, until cancelled."""
        while True:
            asked_at = time.monotonic()
            silence, self.manager_fault = await asyncio.gather(
                _fault_of(self._ping),
                _fault_of(partial(self.own_engine.list_networks, _NO_SESSION, overlays=True))
                if self.is_manager
                else _nothing(),
            )
            if silence is None:
                if (seconds := self.silent_seconds) > ABSENT_SECONDS:
                    self.last_silence = time.monotonic(), seconds
                self.answered_at = time.monotonic()
            if self.manager_fault is None:
                self.manages_at = time.monotonic()
            metrics.HOST_UP.labels(host=self.name).set(self.silent_seconds < ABSENT_SECONDS)
            if self.is_manager:
                metrics.HOST_MANAGES.labels(host=self.name).set(self.manages)
            # After no answer at once: one slow answer is no silence.
            await asyncio.sleep(max(0.0, asked_at + PULSE_SECONDS - time.monotonic()))

    async def _ping(self) -> None:
        self.available_bytes = await self.engine.ping()


async def _fault_of(call: Callable[[], Awaitable[object]]) -> str | None:
    """Return why a call failed; None when it did not."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await call()
    except (EngineError, TimeoutError) as error:
        return str(error) or f"no answer within {ANSWER_SECONDS:g} s"
    return None


async def _nothing() -> None:
    return
