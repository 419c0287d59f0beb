"""The whole system as separate processes with a wire between each two, every part within reach of a fault."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from uuid import UUID, uuid4

import httpx2
from local_stack import API_TOKEN, ORCHESTRATOR_TOKEN, ROOT, plain_client
from own_engine import OwnEngine
from parts import Catalog, programs_of, wires_of
from pydantic import SecretStr
from small_disks import SmallDisk
from wires import Wire, opened

from dryrun_cli.api.client import ApiClient, open_client
from dryrun_cli.api.settings import Settings
from dryrun_local.machine.engine_view import EngineView, Thing
from dryrun_local.machine.errors import ServiceDiedError
from dryrun_local.machine.installation import Installation
from dryrun_local.system.ports import free_ports
from dryrun_local.system.postgres import DATABASE, is_ready, url_of
from dryrun_local.system.processes import Child, Program, running

COLLECTOR_SECONDS = 12


class Service:
    """One process that may be killed, frozen and started again."""

    def __init__(self, installation: Installation, program: Program) -> None:
        self.program = program
        self._installation = installation
        self._exits = AsyncExitStack()
        self._child: Child | None = None
        self.lock = asyncio.Lock()
        """Held by the fault that has it in hand: two faults on one service come one after the other."""

    @property
    def name(self) -> str:
        """What it is."""
        return self.program.name

    async def start(self) -> None:
        """Start it; its log goes on where it was."""
        log = self.program.log
        kept = log.read_bytes() if log.exists() else b""
        self._child = await self._exits.enter_async_context(running(self._installation, self.program))
        # `running` begins a new log; a campaign keeps all of it.
        with log.with_suffix(".all").open("ab") as whole:
            whole.write(kept)

    async def kill(self) -> None:
        """SIGKILL, as a crash does."""
        self.send(signal.SIGKILL)
        await self._exits.aclose()

    async def stop(self) -> None:
        """End it as an operator does."""
        await self._exits.aclose()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._child is not None
        with suppress(ProcessLookupError):
            os.kill(self._child.pid, number)

    async def keep_alive(self, start: Callable[[], Awaitable[None]]) -> None:
        """Start it again when it ended by itself, as a supervisor does."""
        while True:
            await asyncio.sleep(0.5)
            async with self.lock:
                if self._child is not None and _has_ended(self.pid):
                    await self._exits.aclose()
                    await start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._child is not None
        return self._child.pid

    def said(self) -> bytes:
        """All that it said in all its lives."""
        whole = self.program.log.with_suffix(".all")
        return (whole.read_bytes() if whole.exists() else b"") + self.program.log.read_bytes()


@dataclass(frozen=True, slots=True)
class Disks:
    """What may be filled."""

    journal: SmallDisk
    database: SmallDisk


class Watched:
    """A system as its users see it, whatever it consists of."""

    __slots__ = ()
    api_url: str
    orchestrator_url: str
    asked: dict[UUID, str]
    """Sessions that a fault asked for, by template: their ends are the round's."""

    async def session(self, session_id: UUID) -> dict[str, object] | None:
        """Return what the API says of a session, None while it does not answer."""
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        async with plain_client(timeout=5, headers=headers) as http:
            try:
                answer = await http.get(f"{self.api_url}/api/v1/dryrun/sessions/{session_id}")
            except httpx2.HTTPError:
                return None
        if not answer.is_success:
            return None
        listed: dict[str, object] = answer.json()
        return listed

    async def holds(self, thing: Thing) -> bool:
        """Return whether an engine keeps a thing that nobody can remove, and readiness says so."""
        return False

    async def start_session(self, template: str, seconds: float = 60) -> UUID:
        """Ask for a session until somebody says yes: faults may be under way."""
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        async with (
            asyncio.timeout(seconds),
            plain_client(timeout=8, headers=headers) as http,
        ):
            while True:
                with suppress(httpx2.HTTPError):
                    answer = await http.post(
                        f"{self.api_url}/api/v1/dryrun/sessions", json={"template": template}
                    )
                    if answer.is_success:
                        return UUID(answer.json()["id"])
                    assert answer.status_code not in {400, 404, 422}, answer.text
                await asyncio.sleep(0.3)

    async def orchestrator(self, path: str) -> httpx2.Response | None:
        """Ask the orchestrator directly; None while it does not answer."""
        headers = {"Authorization": f"Bearer {ORCHESTRATOR_TOKEN}"}
        async with plain_client(timeout=5, headers=headers) as http:
            try:
                return await http.get(f"{self.orchestrator_url}{path}")
            except httpx2.HTTPError:
                return None

    async def is_well(self) -> str:
        """Say what is lacking, "" when every part answers and knows the others."""
        try:
            async with plain_client(timeout=5) as http:
                for url in (self.api_url, self.orchestrator_url):
                    answer = await http.get(f"{url}/readyz")
                    if not answer.is_success or answer.json().get("status", "ready") != "ready":
                        return answer.text
        except httpx2.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        return ""

    async def until_well(self, seconds: float = 90) -> None:
        """Wait until all parts are well; AssertionError with what is lacking."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while lacking := await self.is_well():
            assert loop.time() < end, f"not well after {seconds:.0f} s without a fault: {lacking}"
            await asyncio.sleep(0.3)


@dataclass(slots=True)
class World(Watched):
    """All parts. `engine` is looked at directly, never through the guard."""

    installation: Installation
    engine: EngineView
    docker_host: str
    own_engine: OwnEngine | None
    disks: Disks
    database_url: str
    services: dict[str, Service] = field(default_factory=dict)
    wires: dict[str, Wire] = field(default_factory=dict)
    clocks: dict[str, Path] = field(default_factory=dict)
    api_url: str = ""
    orchestrator_url: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    client: ApiClient | None = None
    asked: dict[UUID, str] = field(default_factory=dict)

    @property
    def logs(self) -> tuple[Path, ...]:
        """Where logs lie, files and folders."""
        engine = () if self.own_engine is None else (self.own_engine.log,)
        return (self.installation.logs, *engine)

    @property
    def journal_folder(self) -> Path:
        """Where the orchestrator's state lies."""
        return self.disks.journal.folder / "state"

    def set_clock(self, name: str, seconds: int) -> None:
        """Let a service's clock differ by so much; at once, since half a file read is no time at all."""
        clock = self.clocks[name]
        new = clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(clock)

    async def start_postgres(self) -> None:
        """Start the database; one that was killed needs a moment until its processes are gone."""
        postgres = self.services["postgres"]
        data = self.disks.database.folder / "postgres"
        loop = asyncio.get_running_loop()
        end = loop.time() + 60
        while True:
            _forget_dead_postmaster(data)
            await postgres.start()
            with suppress(TimeoutError):
                async with asyncio.timeout(15):
                    while not is_ready(data, postgres.pid):
                        await asyncio.sleep(0.1)
                return
            await postgres.stop()
            if loop.time() > end:
                raise ServiceDiedError("PostgreSQL does not come up again")


def _has_ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}/exe").exists()


def _forget_dead_postmaster(data: Path) -> None:
    try:
        pid = (data / "postmaster.pid").read_text(encoding="utf-8").split()[0]
    except (OSError, IndexError):
        return
    if not Path(f"/proc/{pid}").exists():
        (data / "postmaster.pid").unlink(missing_ok=True)


@asynccontextmanager
async def open_world(
    folder: Path,
    cluster: Path,
    engine: EngineView,
    docker_host: str,
    disks: Disks,
    catalog: Catalog,
    own_engine: OwnEngine | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[World]:
    """Run everything for the time of the block; `settings` are more of the orchestrator's."""
    installation = Installation(ROOT, folder / "installation")
    installation.prepare()
    shutil.copytree(cluster, disks.database.folder / "postgres")
    sockets = folder / "pg"
    sockets.mkdir()
    world = World(
        installation, engine, docker_host, own_engine, disks, url_of(DATABASE, sockets), settings=settings
    )
    world.journal_folder.mkdir()
    api, orchestrator, wired = free_ports(0, 0, 0)
    world.api_url, world.orchestrator_url = f"http://127.0.0.1:{api}", f"http://127.0.0.1:{orchestrator}"
    world.wires = wires_of(folder, docker_host, orchestrator, wired)
    for name in ("api", "orchestrator", "guard"):
        world.clocks[name] = folder / f"clock-{name}"
        world.set_clock(name, 0)
    programs = programs_of(world, folder, wired, catalog)
    world.services = {program.name: Service(installation, program) for program in programs}
    async with AsyncExitStack() as exits:
        await exits.enter_async_context(opened(*world.wires.values()))
        for service in world.services.values():
            exits.push_async_callback(service.stop)
        await world.start_postgres()
        for name in ("guard", "api", "orchestrator"):
            await world.services[name].start()
        keepers = [
            asyncio.create_task(
                service.keep_alive(world.start_postgres if name == "postgres" else service.start)
            )
            for name, service in world.services.items()
        ]
        exits.push_async_callback(asyncio.gather, *keepers, return_exceptions=True)
        for keeper in keepers:
            exits.callback(keeper.cancel)
        await world.until_well()
        settings = Settings(api_url=world.api_url, api_token=SecretStr(API_TOKEN))
        world.client = await exits.enter_async_context(open_client(settings))
        yield world


def new_name() -> str:
    """Return a name that nobody else has."""
    return f"chaos-{uuid4().hex[:8]}"
