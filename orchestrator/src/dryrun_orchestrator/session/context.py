"""What one session's steps work with, and how they tell that the session cannot go on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from dryrun_contract.text import printable
from dryrun_orchestrator.catalog.template import LoadedTemplate
from dryrun_orchestrator.engine.protocol import Engine
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.journal.records import SessionRecord
from dryrun_orchestrator.session.isolation import Isolation
from dryrun_orchestrator.session.log_lines import CollectorSpan
from dryrun_orchestrator.settings import Settings

STARTS_IN_FLIGHT = 8
"""As fast as 64 on 2 cores, measured, and gentler to the engine."""


class SessionFailedError(Exception):
    """The session cannot go on; the text says what failed, which one and what to do next."""


@dataclass(slots=True)
class SessionContext:
    """One session under way. The journal says where it is; this does not outlive the process."""

    id: UUID
    planned: LoadedTemplate | None
    """None when the template is gone, or is another than the one the session was asked with."""
    engine: Engine
    journal: Journal
    settings: Settings
    isolation: Isolation
    now: Callable[[], datetime]
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the engine told of something that carries this session's label."""
    stop_requested: asyncio.Event = field(default_factory=asyncio.Event)
    collecting: set[str] = field(default_factory=set)
    """Collectors that run at this moment."""
    spans: list[CollectorSpan] = field(default_factory=list)
    """When collectors ran that have ended in this process."""
    spans_lost: bool = False
    """Others ended in a process before this one."""
    starts: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(STARTS_IN_FLIGHT))

    @property
    def template(self) -> LoadedTemplate:
        """Return what the session was asked with. Raises SessionFailedError when that is no longer there."""
        if self.planned is None:
            raise SessionFailedError(
                "its template was changed or taken away while it was under way; start a new session"
            )
        return self.planned

    async def record(self) -> SessionRecord:
        """Return the session's row as it stands."""
        return await self.journal.session(self.id)

    async def wait_for_wake(self, seconds: float) -> None:
        """Return when the engine told of something, at the latest after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self.woken.wait()
        except TimeoutError:
            return
        finally:
            self.woken.clear()


def last_words(stderr: bytes, *, lines: int = 3) -> str:
    """Return the last lines of a program's output in one printable line, for an error text."""
    said = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return " | ".join(printable(line.strip(), limit=160) for line in said[-lines:])
