"""A whole system for one test: its own orchestrator, approval API and PostgreSQL, on the real engine."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
from pydantic import SecretStr

from approval_api.database.engine import create_engine
from approval_api.database.migration import migrate
from dryrun_cli.api.client import ApiClient, open_client
from dryrun_cli.api.reading import read_session
from dryrun_cli.api.settings import Settings
from dryrun_contract.event import Event
from dryrun_contract.session import SessionRequest, SessionView
from dryrun_local.machine.engine_view import EngineView, Thing, open_engine
from dryrun_local.machine.installation import Installation
from dryrun_local.system.guard import running_guard
from dryrun_local.system.ports import free_ports
from dryrun_local.system.postgres import running_postgres
from dryrun_local.system.processes import Child, Program, running

ROOT = Path(__file__).resolve().parents[2]
SUBNET_POOL = "10.213.128.0/17"
"""The upper half, so that a demo may run beside the tests."""
API_TOKEN = "token-of-the-api-for-tests"
ORCHESTRATOR_TOKEN = "token-of-the-orchestrator-for-tests"
PATIENCE = float(os.environ.get("DRYRUN_PATIENCE", "1"))
"""How many times longer than on a machine of our own everything may take: a virtual machine is slow."""
LASTING = frozenset({"kept", "ended"})
"""Phases that a session stays in: whoever waits for one misses nothing by looking less often."""


def plain_client(**options: Any) -> httpx2.AsyncClient:
    """Return a client for HTTP without TLS: reading the machine's certificates costs more than a request."""
    return httpx2.AsyncClient(trust_env=False, verify=False, **options)


class Service:
    """One process of the stack; tests may kill it and start it again."""

    def __init__(self, stack: "Stack", program: Program, url: str) -> None:
        self._stack = stack
        self._program = program
        self._exit = AsyncExitStack()
        self._child: Child | None = None
        self.url = url
        self.log = program.log

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self._program.name} does not run"
        return self._child.pid

    @property
    def is_running(self) -> bool:
        return self._child is not None

    def has(self, setting: str) -> bool:
        """Return whether it has a setting that is not empty."""
        return bool(self._program.environment.get(setting))

    def change(self, **settings: str) -> None:
        """Change its settings, from its next start on."""
        self._program = replace(self._program, environment={**self._program.environment, **settings})

    async def start(self, *, ready: bool = True, seconds: float = 90) -> None:
        self._child = await self._exit.enter_async_context(running(self._stack.installation, self._program))
        if ready:
            await self.until_ready(seconds)

    async def until_ready(self, seconds: float = 90) -> None:
        """Return when it says that it is ready. Raises ServiceDiedError with what it lacked at last."""
        assert self._child is not None, f"{self._program.name} does not run"
        await self._child.until(self._lacking, seconds * PATIENCE)

    async def stop(self) -> None:
        """End it as an operator does."""
        self._child = None
        await self._exit.aclose()

    async def kill(self) -> None:
        """End it with SIGKILL, as a crash does."""
        os.kill(self.pid, signal.SIGKILL)
        await self.stop()

    async def _lacking(self) -> str:
        # While it starts nobody listens: to learn that, a client of HTTP costs ten times as much.
        place = urlsplit(self.url)
        try:
            _, writer = await asyncio.open_connection(place.hostname, place.port)
        except OSError as error:
            return str(error)
        writer.close()
        try:
            async with plain_client(timeout=5 * PATIENCE) as http:
                response = await http.get(f"{self.url}/readyz")
        except httpx2.HTTPError as error:
            return str(error)
        return "" if response.is_success else response.text


class Stack:
    """Made by the fixture `start_stack`. Everything is reached as a client reaches it."""

    def __init__(
        self, state: Path, engine: EngineView, database_url: str, settings: Mapping[str, str]
    ) -> None:
        self.installation = Installation(ROOT, state)
        self.engine = engine
        self.database_url = database_url
        api_port, orchestrator_port = free_ports(0, 0)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("APPROVAL_", "ORCHESTRATOR_"))
        }
        api_url, orchestrator_url = (f"http://127.0.0.1:{port}" for port in (api_port, orchestrator_port))
        (state / "orchestrator").mkdir(exist_ok=True)
        self.orchestrator = Service(
            self,
            Program(
                "the orchestrator",
                (str(self.installation.program("dryrun-orchestrator")), "serve"),
                inherited
                | {
                    "ORCHESTRATOR_TOKEN": ORCHESTRATOR_TOKEN,
                    "ORCHESTRATOR_LISTEN": f"127.0.0.1:{orchestrator_port}",
                    "ORCHESTRATOR_STATE_DIR": str(state / "orchestrator"),
                    "ORCHESTRATOR_TEMPLATES_DIR": str(ROOT / "templates"),
                    "ORCHESTRATOR_COLLECTORS_DIR": str(ROOT / "collectors" / "manifests"),
                    "ORCHESTRATOR_ALLOWLIST": str(ROOT / ".dryrun" / "allowlist.json"),
                    "ORCHESTRATOR_SUBNET_POOL": SUBNET_POOL,
                    "ORCHESTRATOR_SESSION_SECONDS": "240",
                    "ORCHESTRATOR_REAPER_SECONDS": "2",
                }
                | {name: value for name, value in settings.items() if not name.startswith("APPROVAL_")},
                self.installation.logs / "orchestrator.log",
            ),
            orchestrator_url,
        )
        self.api = Service(
            self,
            Program(
                "the approval API",
                (str(self.installation.program("approval-api")), "serve"),
                inherited
                | {
                    "APPROVAL_DATABASE_URL": database_url,
                    "APPROVAL_LISTEN": f"127.0.0.1:{api_port}",
                    "APPROVAL_TOKENS": f"tests:{API_TOKEN}",
                    "APPROVAL_ORCHESTRATOR_URL": orchestrator_url,
                    "APPROVAL_ORCHESTRATOR_TOKEN": ORCHESTRATOR_TOKEN,
                }
                | {name: value for name, value in settings.items() if name.startswith("APPROVAL_")},
                self.installation.logs / "approval-api.log",
            ),
            api_url,
        )
        self.client: ApiClient
        """The approval API as a user's client sees it."""

    async def orchestrator_get(self, path: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {ORCHESTRATOR_TOKEN}"}
        async with plain_client(timeout=40 * PATIENCE) as http:
            return await http.get(f"{self.orchestrator.url}{path}", headers=headers)

    async def start_session(self, template: str = "small", *, keep: bool = False) -> UUID:
        return read_session(await self.client.start_session(SessionRequest(template=template, keep=keep))).id

    async def session(self, session_id: UUID) -> SessionView:
        return read_session(await self.client.session(session_id))

    async def wait_for_phase(self, session_id: UUID, *phases: str, seconds: float = 60) -> SessionView:
        """Wait until the session is in one of `phases`; AssertionError when it ends elsewhere."""
        # A look costs API, database and test 20 ms of processor, which the session needs.
        is_patient = LASTING.issuperset(phases)
        begun = time.monotonic()
        deadline = begun + seconds * PATIENCE
        while (session := await self.session(session_id)).phase not in phases:
            assert session.phase != "ended", f"ended ({session.outcome}: {session.reason}), not in {phases}"
            assert time.monotonic() < deadline, f"still {session.phase} after {seconds} s, not in {phases}"
            await asyncio.sleep(max(0.4, (time.monotonic() - begun) / 20) if is_patient else 0.1)
        return session

    async def wait_until_ended(self, session_id: UUID, seconds: float = 120) -> SessionView:
        return await self.wait_for_phase(session_id, "ended", seconds=seconds)

    async def events(self, session_id: UUID) -> list[Event]:
        """What the approval API stored, oldest first."""
        return [Event.model_validate(event) async for event in self.client.events(session_id)]

    async def things_of(self, session_id: UUID) -> list[Thing]:
        """What the engine holds of a session."""
        return [thing for thing in await self.engine.things() if thing.session == str(session_id)]

    async def owned_things(self) -> list[Thing]:
        """What the engine holds of all sessions of this stack's journal."""
        journal = (await self.orchestrator_get("/events?limit=1")).json()["journal"]
        return [thing for thing in await self.engine.things() if thing.owner == journal]

    async def end_everything(self, seconds: float = 90) -> None:
        """Stop every session, wait until each says that it has ended, then require an empty engine."""
        if self.orchestrator.has("ORCHESTRATOR_POOL"):
            # A pool that fills again would never leave an engine empty.
            await self.orchestrator.stop()
            self.orchestrator.change(ORCHESTRATOR_POOL="")
        if not self.orchestrator.is_running:
            await self.orchestrator.start(ready=False)
        headers = {"Authorization": f"Bearer {ORCHESTRATOR_TOKEN}", "X-Actor": "end of the test"}
        deadline = time.monotonic() + seconds * PATIENCE
        async with plain_client(base_url=self.orchestrator.url, headers=headers) as http:
            await self._until_alive(http, deadline)
            while open_ones := [
                entry for entry in (await http.get("/sessions")).json() if entry["phase"] != "ended"
            ]:
                assert time.monotonic() < deadline, f"not ended within {seconds} s: {open_ones}"
                for entry in open_ones:
                    await http.post(f"/sessions/{entry['id']}/stop")
                await asyncio.sleep(0.3)
            sessions = {entry["id"] for entry in (await http.get("/sessions")).json()}
        left = await self.owned_things()
        kept = [thing for thing in left if thing.session in sessions]
        assert not kept, f"the sessions say that they have ended, and the engine still holds {kept}"
        # A check of the host has a network of its own, and while the host answers there is one every second.
        while left := await self.owned_things():
            assert time.monotonic() < deadline, f"no session owns it, and the engine still holds {left}"
            await asyncio.sleep(0.05)

    async def _until_alive(self, http: httpx2.AsyncClient, deadline: float) -> None:
        while True:
            try:
                if (await http.get("/livez")).is_success:
                    return
            except httpx2.HTTPError:
                assert time.monotonic() < deadline, (
                    f"the orchestrator does not answer; see {self.orchestrator.log}"
                )
            await asyncio.sleep(0.1)


def _is_missing(folder: Path) -> bool:
    return not folder.exists()


@asynccontextmanager
async def _guard(installation: Installation, settings: Mapping[str, str]) -> AsyncIterator[str]:
    """Run the guard that the orchestrator gets for its engine, with room for other stacks beside this one."""
    environ = {"ORCHESTRATOR_ALLOWLIST": str(ROOT / ".dryrun" / "allowlist.json"), **os.environ, **settings}
    ceilings = {"sessions": 100, "containers": 2000}
    async with running_guard(installation, environ, os.environ, ceilings) as (_, docker_host):
        yield docker_host


async def create_migrated_cluster(cluster: Path) -> None:
    """Make a database whose schema is this version's, so that no stack's start has to migrate its copy."""
    installation = Installation(ROOT, cluster.with_name(f"{cluster.name}.new"))
    installation.prepare()
    async with running_postgres(installation, os.environ) as url:
        engine = create_engine(url)
        try:
            await migrate(engine)
        finally:
            await engine.dispose()
    (installation.state / "postgres").rename(cluster)


@asynccontextmanager
async def open_stack(state: Path, cluster: Path, settings: Mapping[str, str]) -> AsyncIterator[Stack]:
    """Run a stack for the time of the block. `cluster` is a database without rows, copied; made when missing.

    The orchestrator reaches the engine through a guard, unless `settings` have another `DOCKER_HOST`.
    """
    if _is_missing(cluster):
        await create_migrated_cluster(cluster)
    installation = Installation(ROOT, state)
    installation.prepare()
    shutil.copytree(cluster, state / "postgres")
    async with AsyncExitStack() as exits:
        engine = await exits.enter_async_context(open_engine(os.environ))
        database_url = await exits.enter_async_context(running_postgres(installation, os.environ))
        if "DOCKER_HOST" not in settings:
            settings = {
                **settings,
                "DOCKER_HOST": await exits.enter_async_context(_guard(installation, settings)),
            }
        stack = Stack(state, engine, database_url, settings)
        exits.push_async_callback(stack.orchestrator.stop)
        exits.push_async_callback(stack.api.stop)
        async with asyncio.TaskGroup() as group:
            group.create_task(stack.orchestrator.start())
            group.create_task(stack.api.start())
        stack.client = await exits.enter_async_context(
            open_client(Settings(api_url=stack.api.url, api_token=SecretStr(API_TOKEN)))
        )
        try:
            yield stack
        finally:
            await stack.end_everything()
