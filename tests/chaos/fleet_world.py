"""Three hosts as one fleet, with the system on it: every part within reach of a fault."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx2
from fleet_host import Host
from fleet_lab import POOL, FleetLab, open_fleet
from local_stack import ROOT, Stack, open_stack, plain_client
from parts import FAKETIME, SESSION_SECONDS
from quick_stack import QUICK
from world import Watched

from dryrun_local.machine.engine_view import EngineView, Thing, open_engine

ALLOWLIST = ROOT / ".dryrun" / "allowlist.json"
SPREAD = QUICK.replace("  collectors:", "  spread: targets\n  collectors:")


@dataclass(frozen=True, slots=True)
class Engines:
    """All engines, looked at directly, never through a guard."""

    views: tuple[EngineView, ...]

    async def things(self) -> frozenset[Thing]:
        """Return what any of them holds."""
        found = await asyncio.gather(*(view.things() for view in self.views))
        return frozenset().union(*found)


@dataclass(frozen=True, slots=True)
class Logged:
    """A process: its log, and its id."""

    name: str
    log: Path
    pid: int

    def said(self) -> bytes:
        """All that it said in its last life."""
        return self.log.read_bytes() if self.log.exists() else b""


@dataclass(slots=True)
class FleetWorld(Watched):
    """The hosts, and the system on them."""

    lab: FleetLab
    stack: Stack
    engine: Engines
    file: Path
    """The fleet file."""
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    """By host, and one of the orchestrator's: held by the fault that has it in hand."""
    asked: dict[UUID, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.locks = {name: asyncio.Lock() for name in (*self.lab.hosts, "orchestrator")}

    @property
    def api_url(self) -> str:
        """Where the approval API listens."""
        return self.stack.api.url

    @property
    def orchestrator_url(self) -> str:
        """Where the orchestrator listens."""
        return self.stack.orchestrator.url

    @property
    def database_url(self) -> str:
        """PostgreSQL's."""
        return self.stack.database_url

    @property
    def journal_folder(self) -> Path:
        """Where the orchestrator's state lies."""
        return self.stack.installation.state / "orchestrator"

    @property
    def services(self) -> Mapping[str, Logged]:
        """What writes logs."""
        found = [
            Logged("orchestrator", self.stack.orchestrator.log, self.stack.orchestrator.pid),
            Logged("api", self.stack.api.log, self.stack.api.pid),
        ]
        for host in self.lab.hosts.values():
            assert host.guard is not None
            found.append(Logged(f"guard of {host.name}", host.log, host.guard.pid))
        return {each.name: each for each in found}

    @property
    def logs(self) -> tuple[Path, ...]:
        """Where logs lie, files and folders."""
        engines = (host.folder / "engine.log" for host in self.lab.workers)
        return (self.stack.installation.logs, *(host.log for host in self.lab.hosts.values()), *engines)

    async def is_well(self) -> str:
        """Say what is lacking, "" when every part answers, and sessions may begin on and across all hosts."""
        if lacking := await Watched.is_well(self):
            return lacking
        checks = await self.checks()
        hosts, overlay = checks.get("hosts", "no answer"), checks.get("overlay", "no answer")
        if not hosts.startswith("ok, 3 of 3"):
            return hosts
        return "" if overlay.startswith("ok, plain") else overlay

    async def checks(self) -> dict[str, str]:
        """Return what the orchestrator's readiness says; nothing while it does not answer."""
        try:
            async with plain_client(timeout=5) as http:
                found: dict[str, str] = (await http.get(f"{self.orchestrator_url}/readyz")).json()["checks"]
        except (httpx2.HTTPError, ValueError, KeyError):
            return {}
        return found

    async def holds(self, thing: Thing) -> bool:
        """Return whether the swarm refuses to remove an overlay for a task, and readiness names it."""
        said = await asyncio.to_thread(self.lab.manager.ask, "DELETE", f"/networks/{thing.id}")
        is_refused = "is in use by task" in str((said or {}).get("message"))
        return is_refused and thing.name in (await self.checks()).get("overlay", "")

    async def start_guard(self, host: Host, *, clock: str = "") -> None:
        """Start a host's guard again, with a clock that differs, e.g. by `+3600`."""
        wrong = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        environment = wrong | {"DONT_FAKE_MONOTONIC": "1"} if clock else {}
        await asyncio.to_thread(self.lab.start_guard, host, ALLOWLIST, environment)


@asynccontextmanager
async def open_fleet_world(managers: int = 3, **changes: str) -> AsyncIterator[FleetWorld]:
    """Run everything for the time of the block, inside of `tests/support/with-own-engine`.

    `managers` of the hosts, 1 or 3, manage the swarm; `changes` are settings of the orchestrator and the API.
    """
    async with AsyncExitStack() as exits:
        folder = Path(
            exits.enter_context(tempfile.TemporaryDirectory(prefix="dc-", ignore_cleanup_errors=True))
        )
        lab = exits.enter_context(open_fleet(folder / "fleet", ALLOWLIST, managers))
        state, templates, file = folder / "state", folder / "templates", folder / "fleet.yml"
        state.mkdir()
        templates.mkdir()
        for name, text in {"quick": QUICK, "spread": SPREAD}.items():
            (templates / f"{name}.yml").write_text(text)
        file.write_text(lab.fleet_file())
        settings = {
            "ORCHESTRATOR_FLEET": str(file),
            "ORCHESTRATOR_SUBNET_POOL": POOL,
            "ORCHESTRATOR_TEMPLATES_DIR": str(templates),
            "ORCHESTRATOR_SESSION_SECONDS": str(SESSION_SECONDS),
            "ORCHESTRATOR_WAITING_SECONDS": "20",
            # Not used, and no guard beside those of the fleet is needed.
            "DOCKER_HOST": lab.manager.docker_host,
            "APPROVAL_SESSIONS_AT_ONCE": "10",
        }
        views = [
            await exits.enter_async_context(open_engine({**os.environ, "DOCKER_HOST": host.docker_host}))
            for host in lab.hosts.values()
        ]
        stack = await exits.enter_async_context(open_stack(state, folder / "cluster", settings | changes))
        world = FleetWorld(lab, stack, Engines(tuple(views)), file)
        await world.until_well()
        yield world
