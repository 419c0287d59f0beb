"""A real Chromium on the real service; only the orchestrator is the one in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from chromium import Watched, launched, open_context
from fake_orchestrator import FakeOrchestrator
from playwright.async_api import Browser, Page, expect
from scripted_session import ScriptedSession, scan_all
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from wire import Wire, open_wire

from approval_api.app import create_app
from approval_api.database.engine import APP_ROLE, create_engine
from approval_api.discoveries.production import rules
from approval_api.identity.roles import Role
from approval_api.people import logins, repository
from approval_api.people.passwords import Passwords
from approval_api.settings import Settings
from dryrun_contract.production import RuleRequest

PASSWORD = "several words of nobody"
_HERE = f"{Path(__file__).parent}/"
expect.set_options(timeout=30_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of this folder on one event loop, which their browser needs."""
    for item in items:
        if str(item.path).startswith(_HERE):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One for all tests, each of which opens contexts of its own: its start takes a second of processor."""
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database_url)
    yield engine
    await engine.dispose()


@pytest_asyncio.fixture(loop_scope="session")
async def api(settings: Settings, orchestrator: FakeOrchestrator, serving: Any) -> AsyncIterator[Any]:
    engine = create_engine(settings.database_url.get_secret_value(), role=APP_ROLE)
    async with serving(create_app(settings, engine=engine, orchestrator_transport=orchestrator)) as api:
        yield api


_PAST_EXPERIMENT = (
    """INSERT INTO gateway.experiments (id, request, requested_by, requested_at, results, results_of)
    SELECT :id, request, requested_by, now() - :nights * interval '1 day',
        jsonb_set(jsonb_set(results, '{arms,1,images}', '{"network": "IMAGE"}'), '{arms,1,rows}', (
            SELECT jsonb_agg(CASE WHEN row ->> 'kind' = 'service' AND row ->> 'attribute' IS NULL
                THEN jsonb_set(row, '{recall}', '{"value": WORSE, "low": 0.35, "high": 0.97}') ELSE row END)
            FROM jsonb_array_elements(results #> '{arms,1,rows}') AS row)), 0
    FROM gateway.experiments WHERE id = :of""",
    """INSERT INTO gateway.experiment_runs (experiment_id, number, measured)
    SELECT :id, number, NULL FROM gateway.experiment_runs WHERE experiment_id = :of""",
    """UPDATE gateway.experiment_runs SET failure = 'long ago' WHERE experiment_id = :id""",
    """INSERT INTO gateway.schedule_firings (schedule_id, due_at, experiment_id)
    VALUES (:schedule, now() - :nights * interval '1 day', :id)""",
)


class Site:
    """The service as people see it."""

    def __init__(
        self, api: Any, wire: Wire, orchestrator: FakeOrchestrator, engine: Any, browser: Browser
    ) -> None:
        self.api = api
        self.wire = wire
        self.orchestrator = orchestrator
        self.url = wire.url
        self._engine = engine
        self._browser = browser
        self._people: dict[str, UUID] = {}
        self.contexts: list[Watched] = []
        self.exits = AsyncExitStack()

    async def add_person(self, name: str, *roles: Role, password: str | None = None) -> UUID:
        async with self._engine.begin() as connection:
            person = await repository.add(
                connection, name=name, display_name=name.title(), roles=roles, created_by="the test"
            )
            if password is not None:
                hashed = await self.api.app.state.passwords.hash(password)
                await repository.set_password(connection, person, hashed)
        return person

    async def open(self, role: Role | None = Role.ADMIN, **wanted: Any) -> Watched:
        """Open a browser of somebody who is signed in and has this role; of nobody without one."""
        watched = await open_context(self._browser, self.url, **wanted)
        self.contexts.append(watched)
        self.exits.push_async_callback(watched.context.close)
        if role is not None:
            if role not in self._people:
                self._people[role] = await self.add_person(f"{role}-one", role)
            async with self._engine.begin() as connection:
                secret = await logins.begin(connection, self._people[role], "127.0.0.1")
            await watched.context.add_cookies(
                [{"name": "approval", "value": secret, "url": self.url, "httpOnly": True, "sameSite": "Lax"}]
            )
        return watched

    async def visit(self, role: Role | None = Role.ADMIN, path: str = "/", **wanted: Any) -> Page:
        watched = await self.open(role, **wanted)
        page = await watched.context.new_page()
        await page.goto(path)
        return page

    async def start_session(self, template: str = "small", **wanted: Any) -> ScriptedSession:
        session_id = await self.api.start(template=template, **wanted)
        return self.scripted(UUID(session_id))

    async def schedule(self, experiment: str) -> str:
        """Return a schedule that made eight experiments like this one; from the sixth on one is worse."""
        wanted = {
            "cron": "30 2 * * *",
            "timezone": "Europe/Berlin",
            "experiment": {"name": "nightly", "templates": ["small"]},
        }
        schedule: str = (await self.api.post("/schedules", json=wanted)).json()["id"]
        async with self.api.app.state.engine.begin() as connection:
            for nights in range(8):
                values = {"id": uuid4(), "of": UUID(experiment), "schedule": UUID(schedule), "nights": nights}
                worse = "0.42" if nights < 3 else "0.93"
                image = f"sha256:{('b' if nights < 3 else 'a') * 64}"
                for statement in _PAST_EXPERIMENT:
                    await connection.execute(
                        text(statement.replace("WORSE", worse).replace("IMAGE", image)),
                        values,
                    )
            await connection.execute(
                text(
                    "INSERT INTO gateway.schedule_firings (schedule_id, due_at, skipped)"
                    " VALUES (:schedule, now() - interval '9 days', 'the experiment of before still runs')"
                ),
                {"schedule": UUID(schedule)},
            )
        return schedule

    async def run_experiment(self) -> str:
        """Run two ways to scan at two rates, one of which misses a service; return the experiment's id."""
        choices = {"installed": ["network"], "candidate": ["network-2"]}
        wanted = {
            "name": "installed or candidate",
            "templates": ["small"],
            "seeds": [0, 1],
            "repetitions": 2,
            "collectors": choices,
            "rates": [100, 1000],
        }
        scanning = asyncio.create_task(scan_all(self.orchestrator, frozenset(self.orchestrator.sessions)))
        try:
            answer = await self.api.post("/experiments", json=wanted)
            assert answer.status_code == 201, answer.text
            experiment: str = answer.json()["id"]
            async with asyncio.timeout(90):
                while True:
                    await self.api.app.state.conductor.work_once()
                    shown = (await self.api.get(f"/experiments/{experiment}")).json()
                    if (
                        shown["results"]
                        and shown["measured"]
                        == sum(arm["measured"] for arm in shown["results"]["arms"])
                        == shown["runs"]
                    ):
                        return experiment
                    await asyncio.sleep(0.05)
        finally:
            scanning.cancel()
            await asyncio.gather(scanning, return_exceptions=True)

    async def report_production(self, key: str, kind: str = "service", **data: Any) -> None:
        """Post what a collector found in production."""
        found = {"kind": kind, "key": key, "data": data}
        answer = await self.api.client.post(
            "/api/v1/production/discoveries", json={"collector": "network", "discoveries": [found]}
        )
        assert answer.status_code == 200, answer.text

    async def scan_production(self, *targets: str, complete: bool = True) -> None:
        """Scan in production and find nothing."""
        scans = "/api/v1/production/scans"
        start = {"collector": "network", "targets": targets, "exclude": ["192.0.2.99"], "profile": "full"}
        scan = (await self.api.client.post(scans, json=start)).json()["id"]
        answer = await self.api.client.post(f"{scans}/{scan}/end", json={"complete": complete})
        assert answer.status_code == 200, answer.text

    async def make_rule(self) -> str:
        """Return a rule, switched off, that would approve what was reported."""
        rule = RuleRequest(
            name="lab-databases",
            collectors=("network",),
            reporters=("program:ada",),
            kinds=("service", "host"),
            subnets=("192.0.2.0/24", "2001:db8::/64"),
            min_confidence=0.9,
            attributes={"product": ("PostgreSQL", "MariaDB"), "version": "any"},
        )
        async with self.api.app.state.engine.begin() as connection:
            return str((await rules.create(connection, rule, "grace")).id)

    def scripted(self, session_id: UUID) -> ScriptedSession:
        """What the orchestrator reports about a session that a page started."""
        return ScriptedSession(self.orchestrator, session_id)

    async def until_phase(self, script: ScriptedSession, phase: str) -> None:
        async with asyncio.timeout(20):
            while (await self.api.get(f"/sessions/{script.id}")).json()["phase"] != phase:
                await asyncio.sleep(0.02)


@pytest_asyncio.fixture(loop_scope="session")
async def site(
    api: Any, orchestrator: FakeOrchestrator, engine: Any, chromium: Browser
) -> AsyncIterator[Site]:
    # As safe as the real one for what is tested here, and a hundred times faster.
    api.app.state.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    async with open_wire(api.client.base_url.port) as wire, AsyncExitStack() as exits:
        site = Site(api, wire, orchestrator, engine, chromium)
        exits.push_async_callback(site.exits.aclose)
        yield site
        complaints = [complaint for watched in site.contexts for complaint in watched.complaints]
        assert not complaints, complaints
