"""Tries every engine call that a session needs, before the session creates anything.

A proxy that refuses a call must be detected while there is nothing to leave behind. Each call names an object
that cannot exist: an engine answers 404, a proxy with a missing flag 403.
"""

import asyncio
import math
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from dryrun_orchestrator.engine.errors import ForbiddenError, NotFoundError
from dryrun_orchestrator.engine.protocol import Engine
from dryrun_orchestrator.session.failure import SessionFailedError

RECENT_SECONDS = 3600.0
"""A proxy's settings change when it is started anew, and then its connections break: see `forget`."""


class Preflight:
    """The check of one process, which remembers when it passed."""

    def __init__(self, *engines: Engine) -> None:
        self._engines = engines
        self._passed_at = -math.inf
        self._input_refused_at = -math.inf

    @property
    def passes_input(self) -> bool:
        """Return whether nobody has found lately that what is sent to containers does not reach them."""
        return time.monotonic() - self._input_refused_at > RECENT_SECONDS

    def note_that_input_is_refused(self) -> None:
        """Remember that a proxy refuses input for containers, or swallows it: every session needs it."""
        self._input_refused_at = time.monotonic()

    @property
    def is_recent(self) -> bool:
        """Return whether it passed so recently that a session need not wait for it before its network."""
        return time.monotonic() - self._passed_at < RECENT_SECONDS

    def forget(self) -> None:
        """Have the next session wait for the check: engine or proxy may have started anew."""
        self._passed_at = -math.inf

    async def check(self) -> None:
        """Return when every needed call passes. Raises SessionFailedError."""
        began = time.monotonic()
        try:
            await asyncio.gather(*map(check_calls_are_allowed, self._engines))
        except BaseException:
            self.forget()
            raise
        self._passed_at = began


async def check_calls_are_allowed(engine: Engine) -> None:
    """Return when every needed call passes. Raises SessionFailedError, which names call and flag."""
    nothing = secrets.token_hex(32)
    calls: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: engine.start_container(nothing),
        lambda: engine.remove_container(nothing),
        lambda: engine.remove_network(nothing),
        lambda: _read_a_log(engine, nothing),
        lambda: engine.read_traffic(nothing),
        lambda: engine.inspect_container(nothing),
        lambda: engine.list_containers(f"discovery.dryrun.session_id={nothing}"),
        lambda: engine.list_networks(f"discovery.dryrun.session_id={nothing}"),
        lambda: _subscribe(engine),
    )
    refusals = [refusal for refusal in await asyncio.gather(*map(_refusal, calls)) if refusal is not None]
    if refusals:
        raise SessionFailedError(
            "the proxy in front of the engine refuses calls that a session needs: " + "; ".join(refusals)
        )


async def _refusal(call: Callable[[], Awaitable[object]]) -> str | None:
    try:
        await call()
    except NotFoundError:
        return None
    except ForbiddenError as error:
        # The message names the call and, for known proxies, the flag.
        return str(error)
    return None


async def _read_a_log(engine: Engine, container: str) -> None:
    async with aclosing(engine.read_log(container, follow=False)) as log:
        async for _ in log:
            return


async def _subscribe(engine: Engine) -> None:
    async with engine.events():
        return
