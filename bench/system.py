"""All services, as `make up` starts them, with a client that asks for sessions and reads their events."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from dryrun_cli.api.client import ApiClient, open_client
from dryrun_cli.api.reading import read_session
from dryrun_contract.event import Event, PhaseChanged
from dryrun_contract.scan_choice import NO_CHOICE, ScanChoice
from dryrun_contract.session import Phase, SessionRequest
from dryrun_local.machine.added_folders import gather
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import held
from dryrun_local.runs.sessions import end_all
from dryrun_local.system.launch import System, running_system
from dryrun_local.terminal.screen import Screen
from dryrun_local.terminal.timings import Timings

ROOT = Path(__file__).resolve().parents[1]
OWN_FOLDER = ROOT / "bench" / "own_folder"
"""What the bench adds to what is installed, as `dryrun-local up --add` does."""
LIMIT = timedelta(minutes=10)
_POLL_SECONDS = 0.5
"""Times are those of the events. Asked ten times a second, the API took a fifth of a processor from what is
measured."""


@dataclass(frozen=True)
class Sessions:
    """The running services, seen by who starts sessions."""

    client: ApiClient
    system: System
    installation: Installation

    async def start(
        self, template: str, *, keep: bool = False, seed: int = 0, scan: ScanChoice = NO_CHOICE
    ) -> UUID:
        """Ask for a session and return its id."""
        request = SessionRequest(template=template, keep=keep, seed=seed, scan=scan)
        return read_session(await self.client.start_session(request)).id

    async def until(self, session_id: UUID, phase: Phase) -> list[Event]:
        """Return all events once the session has been in `phase`. Raises RuntimeError if it ends before."""
        phases = ["requested", *Phase]
        async with asyncio.timeout(LIMIT.total_seconds()):
            while True:
                view = read_session(await self.client.session(session_id))
                # A phase may be over before anybody asks.
                if phases.index(view.phase) >= phases.index(phase):
                    events = await self.events(session_id)
                    if reached(events, phase) is not None:
                        return events
                    if view.phase is Phase.ENDED:
                        raise RuntimeError(f"session {session_id} ended as {view.outcome}: {view.reason}")
                await asyncio.sleep(_POLL_SECONDS)

    async def end(self, session_id: UUID) -> float:
        """Stop the session; return the seconds from asking for it until nothing of it is left."""
        begin = time.time()
        await self.client.stop_session(session_id)
        events = await self.until(session_id, Phase.ENDED)
        ended = reached(events, Phase.ENDED)
        assert ended is not None
        return ended - begin

    async def events(self, session_id: UUID) -> list[Event]:
        """Return the session's events so far."""
        return [Event.model_validate(event) async for event in self.client.events(session_id)]


def reached(events: list[Event], phase: Phase) -> float | None:
    """Return when the session came into `phase`, in seconds since the epoch."""
    return first(events, lambda event: isinstance(event.data, PhaseChanged) and event.data.phase is phase)


def first(events: list[Event], wanted: Callable[[Event], bool]) -> float | None:
    """Return when the first such event happened, in seconds since the epoch."""
    return next((event.at.timestamp() for event in events if wanted(event)), None)


def last(events: list[Event], wanted: Callable[[Event], bool]) -> float | None:
    """Return when the last such event happened, in seconds since the epoch."""
    return first(events[::-1], wanted)


@asynccontextmanager
async def running_sessions(environ: Mapping[str, str] = os.environ) -> AsyncIterator[Sessions]:
    """Run the services during the block, and end its sessions. `make demo` once before builds the images."""
    installation = Installation.here((OWN_FOLDER,))
    with held(installation):
        gather(installation)
        async with (
            running_system(
                installation, timings=Timings(), prepare_images=_nothing, environ=environ
            ) as system,
            open_client(system.client_settings()) as client,
        ):
            try:
                yield Sessions(client, system, installation)
            finally:
                # Who is ended in the midst of one leaves nothing to the guard.
                await end_all(client, Screen(to_error=True))


async def _nothing() -> None:
    return
