"""A real PostgreSQL for each test run, a database for each test, and the service on a real socket."""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from embedded_postgres import EmbeddedPostgres
from fake_orchestrator import FakeOrchestrator
from fastapi import FastAPI
from forked_workers import Forges, forking
from shared_dialect import share_dialect
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.app import create_app
from approval_api.database.engine import APP_ROLE, CONNECTIONS, create_engine
from approval_api.database.errors import DATABASE_ERRORS
from approval_api.database.migration import migrate
from approval_api.follower.follower import Follower
from approval_api.identity.roles import Role
from approval_api.orchestrator.client import OrchestratorClient
from approval_api.people import bootstrap
from approval_api.people.passwords import Passwords
from approval_api.server import create_server
from approval_api.settings import Settings
from approval_api.telemetry.metrics import Metrics

TOKEN = "a-token-of-the-tests"
REPORT_KEY = (
    Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
)
MEMORY = Path("/dev/shm")
share_dialect()


@pytest.fixture(scope="session")
def worker_forges() -> Iterator[Forges]:
    forges = Forges()
    yield forges
    forges.close()


@pytest.fixture(autouse=True)
def workers_start_by_fork(worker_forges: Forges) -> Iterator[None]:
    with forking(worker_forges):
        yield


class Postgres(EmbeddedPostgres):
    """An embedded server that tests may stop and start."""

    last_database = "none"
    """The last test's, removed when the next one gets its own: until then, a look is possible."""
    _runner: asyncio.Runner | None = None
    _owner: asyncpg.Connection | None = None

    def execute(self, database: str, *statements: str) -> None:
        async def work() -> None:
            engine = create_engine(self.url(database))
            try:
                async with engine.connect() as connection:
                    free = await connection.execution_options(isolation_level="AUTOCOMMIT")
                    for statement in statements:
                        await free.execute(text(statement))
            finally:
                await engine.dispose()

        with asyncio.Runner() as runner:
            runner.run(work())

    def create_database(self, template: str = "migrated") -> str:
        """Return the name of a fresh copy of a database, made on a connection that lasts."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._runner = self._runner or asyncio.Runner()
        self._runner.run(self._replace_database(name, template))
        self.last_database = name
        return name

    async def _replace_database(self, name: str, template: str) -> None:
        owner = self._owner = await self._connected()
        await owner.execute(f"DROP DATABASE IF EXISTS {self.last_database} WITH (FORCE)")
        await owner.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")

    async def _connected(self) -> asyncpg.Connection:
        """Return the connection; a new one where a test has stopped the server or ended its connections."""
        if self._owner is not None:
            try:
                await self._owner.execute("SELECT 1")
            except DATABASE_ERRORS:
                self._owner.terminate()
            else:
                return self._owner
        return await asyncpg.connect(self.url("postgres").replace("+asyncpg", ""))

    def close(self) -> None:
        if self._owner is not None:
            self._owner.terminate()
        if self._runner is not None:
            self._runner.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # In memory, since each new database is a copy of 8 MB: 15 ms instead of 200 on a disk.
    # A short path: a Unix socket's name has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
    postgres = Postgres(folder)
    try:
        postgres.start()
        postgres.execute(
            "postgres",
            "ALTER SYSTEM SET fsync = off",
            "ALTER SYSTEM SET file_copy_method = clone",
            "SELECT pg_reload_conf()",
            "CREATE DATABASE migrated",
        )
        with asyncio.Runner() as runner:
            runner.run(_migrate(postgres.url("migrated")))
        yield postgres
    finally:
        postgres.close()
        # Nothing in it is needed any more: no checkpoint.
        postgres.kill()
        shutil.rmtree(folder, ignore_errors=True)


async def _migrate(url: str) -> None:
    engine = create_engine(url)
    await migrate(engine)
    await engine.dispose()


@pytest.fixture
def database(postgres: Postgres) -> str:
    """Name of a fresh, migrated database."""
    return postgres.create_database()


@pytest.fixture
def database_url(postgres: Postgres, database: str) -> str:
    return postgres.url(database)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def orchestrator() -> FakeOrchestrator:
    return FakeOrchestrator()


@pytest.fixture
async def orchestrator_client(orchestrator: FakeOrchestrator) -> AsyncIterator[OrchestratorClient]:
    async with OrchestratorClient("http://orchestrator", orchestrator.token, orchestrator) as client:
        yield client


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def programs() -> str:
    """Whose token `TOKEN` is; tests that need more than an operator's rights say so."""
    return "ada/operator/network"


@pytest.fixture
def settings(database_url: str, orchestrator: FakeOrchestrator, programs: str) -> Settings:
    return Settings.model_validate(
        {
            "database_url": database_url,
            "tokens": f"{programs}:{TOKEN},bob:another-token-of-the-tests",
            "orchestrator_url": "http://orchestrator",
            "orchestrator_token": orchestrator.token,
            "heartbeat_seconds": 0.2,
            "streams_per_person": 64,
            "report_key": REPORT_KEY,
        }
    )


class Api:
    """The running service and a client of it."""

    def __init__(self, app: FastAPI, client: httpx2.AsyncClient) -> None:
        self.app = app
        self.client = client

    async def get(self, path: str, **kwargs: Any) -> httpx2.Response:
        return await self.client.get(f"/api/v1/dryrun{path}", **kwargs)

    async def post(self, path: str, **kwargs: Any) -> httpx2.Response:
        return await self.client.post(f"/api/v1/dryrun{path}", **kwargs)

    async def start(self, **wanted: Any) -> str:
        answer = await self.post("/sessions", json={"template": "small", **wanted})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]


@asynccontextmanager
async def serve_app(app: FastAPI) -> AsyncIterator[Api]:
    """Run `app` on a free port; leave with every stream ended."""
    server = create_server(app, "127.0.0.1", 0)
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done(), "the service did not start"
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=10,
        trust_env=False,
        verify=False,  # no TLS here, and a client's certificates take 20 ms to read
    ) as client:
        try:
            yield Api(app, client)
        finally:
            server.stop()
            async with asyncio.timeout(5):
                await running


@pytest.fixture
def connections(request: pytest.FixtureRequest) -> int:
    """How many connections to the database the service has: one that listens for events, and one more.

    The tasks of its start would open ten, each of which costs the server 5 ms of processor and more for every
    table that it reads first. What comes at the same time takes all of them: mark `whole_pool`.
    """
    return CONNECTIONS if request.node.get_closest_marker("whole_pool") else 2


async def _nothing_to_migrate(_: Settings) -> None: ...


@pytest.fixture
async def api(
    settings: Settings, orchestrator: FakeOrchestrator, connections: int, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Api]:
    # The database is a copy of a migrated one: to ask whether it is would take one more connection.
    monkeypatch.setattr("approval_api.app._migrate", _nothing_to_migrate)
    engine = create_engine(settings.database_url.get_secret_value(), role=APP_ROLE, connections=connections)
    async with serve_app(create_app(settings, engine=engine, orchestrator_transport=orchestrator)) as api:
        yield api


@pytest.fixture
def not_scored_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service scores no session by itself: a test stores reports that no history stands behind."""

    async def nobody(*_: object) -> list[uuid.UUID]:
        return []

    monkeypatch.setattr("approval_api.reports.repository.unscored", nobody)


@pytest.fixture
def serving() -> Any:
    """Give tests that need their own application the way to run it."""
    return serve_app


@pytest.fixture
def eventually() -> Any:
    """Give tests a wait with an end for what happens in the background."""

    async def wait(condition: Any, seconds: float = 10) -> Any:
        async with asyncio.timeout(seconds):
            while not (result := await condition()):
                await asyncio.sleep(0.02)
        return result

    return wait


@pytest.fixture
def slow_after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give `slow_after(place, "name")`: that function of a module waits once its work is done.

    So what comes at the same moment meets it before its transaction ends; the test marks `whole_pool`.
    Returns an event that is set when the work is done.
    """

    def slow(place: Any, name: str, seconds: float = 0.3) -> asyncio.Event:
        work, done = getattr(place, name), asyncio.Event()

        async def worked(*which: Any, **options: Any) -> Any:
            result = await work(*which, **options)
            done.set()
            await asyncio.sleep(seconds)  # Longer than connections take to open.
            return result

        monkeypatch.setattr(place, name, worked)
        return done

    return slow


PASSWORD = "several words of nobody"


class Browser:
    """One person's cookies, and what their pages know."""

    def __init__(self, client: httpx2.AsyncClient, name: str) -> None:
        self.client = client
        self.name = name
        self.csrf = ""

    async def ask(self, method: str, path: str, **kwargs: Any) -> httpx2.Response:
        headers = {"X-CSRF-Token": self.csrf, **kwargs.pop("headers", {})}
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **kwargs)

    async def sign_in(self, password: str = PASSWORD) -> httpx2.Response:
        answer = await self.ask("POST", "/login", json={"name": self.name, "password": password})
        if answer.status_code == 200:
            self.csrf = answer.json()["csrf"]
        return answer


@pytest.fixture
async def browsers(api: Any, engine: Any) -> AsyncIterator[Any]:
    """Give `await browsers("ada", Role.VIEWER)`: somebody new who took an invitation and is signed in."""
    # As safe as the real one for what is tested here, and a hundred times faster.
    api.app.state.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    async with AsyncExitStack() as exits:

        async def open_browser(name: str = "") -> Browser:
            client = httpx2.AsyncClient(
                base_url=api.client.base_url, timeout=10, trust_env=False, verify=False
            )
            return Browser(await exits.enter_async_context(client), name)

        async def make(name: str, *roles: Role) -> Browser:
            browser = await open_browser(name)
            if not roles:
                return browser
            async with engine.begin() as connection:
                path = await bootstrap.invite(connection, name, roles, only_first=False)
            assert path is not None
            taken = await browser.ask(
                "POST",
                "/invitations/taken",
                json={"secret": path.partition("=")[2], "password": PASSWORD},
            )
            assert taken.status_code == 200, taken.text
            browser.csrf = taken.json()["csrf"]
            return browser

        yield make


@pytest.fixture
def follower(engine, orchestrator_client, metrics, orchestrator):
    orchestrator.longest_wait = 0.05
    return Follower(engine, orchestrator_client, metrics)
