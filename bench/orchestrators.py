"""An orchestrator of its own for a measurement: with or without a guard, with its own templates."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import httpx2

from bench.system import ROOT
from dryrun_contract.event import Event, EventPage, PhaseChanged, SessionEnded
from dryrun_contract.session import Phase
from dryrun_local.machine.installation import Installation
from dryrun_local.runs.sessions import CLEANUP_SECONDS
from dryrun_local.system.guard import running_guard
from dryrun_local.system.ports import free_ports
from dryrun_local.system.processes import Program, running

TOKEN = "token-of-a-measurement"
SECONDS = 600.0


@dataclass(frozen=True)
class Orchestrator:
    """One orchestrator that can be asked for sessions; a session's times are those of its events."""

    http: httpx2.AsyncClient

    async def session(self, template: str) -> float:
        """Return the seconds of a whole session. Raises RuntimeError if it fails."""
        return sum((await self.phases(template)).values())

    async def phases(self, template: str) -> dict[str, float]:
        """Return the seconds of each phase of a whole session. Raises RuntimeError if it fails."""
        events = await self._run(template, until_scanning=False)
        end = next(event.data for event in events if isinstance(event.data, SessionEnded))
        if end.outcome != "completed":
            raise RuntimeError(f"the session ended as {end.outcome}: {end.reason}")
        return phases_of(events)

    async def bring_up(self, template: str) -> tuple[float, float]:
        """Return the seconds until every target is healthy, and from there until nothing is left."""
        events = await self._run(template, until_scanning=True)
        healthy = next((event.at for event in events if _enters(event, Phase.SCANNING)), None)
        stopped = next(event.at for event in events if _enters(event, Phase.CLEANING_UP))
        if healthy is None:
            raise RuntimeError(f"no healthy targets: {events[-1].data}")
        return (healthy - events[0].at).total_seconds(), (events[-1].at - stopped).total_seconds()

    async def _run(self, template: str, *, until_scanning: bool) -> list[Event]:
        """Return the session's events, from queued to ended."""
        session_id = uuid4()
        position = await self._position()
        (await self.http.put(f"/sessions/{session_id}", json={"template": template})).raise_for_status()
        try:
            async with asyncio.timeout(SECONDS):
                return [
                    event
                    async for event in self._of_session(session_id, position, until_scanning=until_scanning)
                ]
        except BaseException:
            await self._end(session_id)
            raise

    async def _end(self, session_id: UUID) -> None:
        """Stop a session and wait until nothing of it is left: orchestrator and guard end next."""
        await self.http.post(f"/sessions/{session_id}/stop")
        async with asyncio.timeout(CLEANUP_SECONDS):
            while (await self.http.get(f"/sessions/{session_id}")).json()["phase"] != Phase.ENDED:
                await asyncio.sleep(0.3)

    async def _of_session(
        self, session_id: UUID, position: str, *, until_scanning: bool
    ) -> AsyncIterator[Event]:
        while True:
            for event in await self._events(position):
                position = f"{event.journal}:{event.seq}"
                if event.session_id != session_id:
                    continue
                yield event
                if isinstance(event.data, SessionEnded):
                    return
                if until_scanning and _enters(event, Phase.SCANNING):
                    (await self.http.post(f"/sessions/{session_id}/stop")).raise_for_status()

    async def _position(self) -> str:
        page = EventPage.model_validate_json((await self.http.get("/events", params={"limit": "1"})).content)
        last = f"{page.journal}:0"
        while events := await self._events(last, wait="0"):
            last = f"{events[-1].journal}:{events[-1].seq}"
        return last

    async def _events(self, after: str, wait: str = "30") -> tuple[Event, ...]:
        # What others of the same journal have acknowledged stays there for days: several may follow at once.
        answer = await self.http.get("/events", params={"after": after, "wait": wait})
        return EventPage.model_validate_json(answer.raise_for_status().content).events


def phases_of(events: Sequence[Event]) -> dict[str, float]:
    """Return the seconds of each phase of a session that has ended, from queued to ended."""
    phase, since, seconds = Phase.QUEUED, events[0].at, dict[str, float]()
    for event in events:
        if isinstance(event.data, PhaseChanged):
            seconds[phase.replace("_", " ")] = (event.at - since).total_seconds()
            phase, since = event.data.phase, event.at
    return seconds


def _enters(event: Event, phase: Phase) -> bool:
    return isinstance(event.data, PhaseChanged) and event.data.phase is phase


@asynccontextmanager
async def guarded_orchestrator(
    *, pool: str, templates: Path = ROOT / "templates", at_once: int = 2
) -> AsyncIterator[Orchestrator]:
    """Run an orchestrator behind a guard of its own, in folders that go with them."""
    async with AsyncExitStack() as exits:
        state = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="db-")))
        guarding = Installation(ROOT, state / "guarding")
        guarding.prepare()
        environ = os.environ | {
            "ORCHESTRATOR_ALLOWLIST": str(Installation.here().allowlist),
            "ORCHESTRATOR_SUBNET_POOL": pool,
        }
        ceilings = {"sessions": 2 * at_once, "containers": 50 * at_once}
        _, guard = await exits.enter_async_context(running_guard(guarding, environ, inherited(), ceilings))
        yield await exits.enter_async_context(
            orchestrator(state, "guarded", guard, pool=pool, templates=templates, at_once=at_once)
        )


@asynccontextmanager
async def orchestrator(
    state: Path,
    name: str,
    docker_host: str,
    *,
    pool: str,
    templates: Path = ROOT / "templates",
    at_once: int = 2,
) -> AsyncIterator[Orchestrator]:
    """Run an orchestrator for the time of the block."""
    installation = Installation(ROOT, state / name)
    installation.prepare()
    (port,) = free_ports(0)
    url = f"http://127.0.0.1:{port}"
    program = Program(
        name=f"the orchestrator ({name})",
        command=(str(Installation.here().program("dryrun-orchestrator")), "serve"),
        environment=inherited()
        | {
            "DOCKER_HOST": docker_host,
            "ORCHESTRATOR_TOKEN": TOKEN,
            "ORCHESTRATOR_LISTEN": f"127.0.0.1:{port}",
            "ORCHESTRATOR_STATE_DIR": str(installation.state),
            "ORCHESTRATOR_TEMPLATES_DIR": str(templates),
            "ORCHESTRATOR_COLLECTORS_DIR": str(ROOT / "collectors" / "manifests"),
            "ORCHESTRATOR_ALLOWLIST": str(Installation.here().allowlist),
            "ORCHESTRATOR_SUBNET_POOL": pool,
            "ORCHESTRATOR_SESSIONS_AT_ONCE": str(at_once),
        },
        log=installation.logs / "orchestrator.log",
        stop_seconds=15,
    )
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Actor": "bench"}
    async with (
        running(installation, program) as child,
        httpx2.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False) as http,
    ):
        await child.until(lambda: _lacking(http), 60)
        yield Orchestrator(http)


async def _lacking(http: httpx2.AsyncClient) -> str:
    try:
        answer = await http.get("/readyz")
    except httpx2.HTTPError as error:
        return f"it does not answer: {error}"
    return "" if answer.is_success else f"it answers {answer.status_code}: {answer.text[:500]}"


def inherited() -> dict[str, str]:
    """Return this process's environment without settings of the project's own services."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ORCHESTRATOR_", "APPROVAL_", "DRYRUN_"))
    }
