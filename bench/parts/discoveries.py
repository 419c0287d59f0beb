"""What discoveries cost in one report: to score them, and to show a session with as many."""

import asyncio
import time
from typing import Any
from uuid import UUID

import httpx2
from fake_orchestrator import FakeOrchestrator
from scripted_session import ScriptedSession
from served_orchestrator import served

from approval_api.database.engine import create_engine
from bench.parts.scoring import plain, seconds
from bench.results import Growth, PartResult
from bench.served_api import TOKEN, client, running_postgres, serving
from bench.turns import Setting

ABOUT = """\
A session with 1,000 to 1,000,000 discoveries. Scoring: all of them against as many facts, in the process
that computes reports. Report: from the request for the page, with nothing computed before, to the page,
from the API on the embedded PostgreSQL. A report includes a session's first 10,000 discoveries and says
how many it leaves out, so beyond that it only counts."""
SIZES = (1_000, 10_000, 100_000)
LARGEST = 1_000_000
_SECONDS = 600
# What a network of tables would report; numbered after all events of the recorded session.
_INSERT = """
INSERT INTO gateway.dryrun_events (journal, seq, session_id, at, type, data)
SELECT $1::uuid, $4::bigint + n, $2::uuid, now(), 'discovery_reported', jsonb_build_object(
    'type', 'discovery_reported', 'collector', 'database', 'run', 'many', 'line', n,
    'discovery', jsonb_build_object('kind', 'table', 'key', '10.213.0.2:5432/tcp/shop/public/orders_' || n,
        'data', jsonb_build_object('columns', jsonb_build_array('id', 'total')), 'confidence', 0.9))
FROM generate_series(1, $3::int) AS n
"""


async def measure(setting: Setting) -> PartResult:
    """Score and report at each size."""
    async with running_postgres() as postgres:
        reports = await _reports(postgres.url("dryrun"), setting)
    scorings = []
    for size in (*SIZES, *((LARGEST,) if setting.long else ())):
        setting.say(f"scoring {size:,}")
        scorings.append((float(size), await asyncio.to_thread(seconds, size, plain)))
    work = "discoveries"
    return PartResult(
        part="discoveries",
        title="Discoveries in a report",
        about=ABOUT,
        growths=[
            Growth(name="scoring", work=work, cost="seconds", points=scorings),
            Growth(name="report, from the request to the page", work=work, cost="seconds", points=reports),
        ],
    )


async def _reports(url: str, setting: Setting) -> list[tuple[float, float]]:
    """Return the seconds to the page of a session of each size."""
    fake = FakeOrchestrator()
    fake.token = TOKEN
    async with served(fake) as address, serving(url, address) as api, client(api) as http:
        sessions = [await _ended(fake, http) for _ in (*SIZES, LARGEST)]
        took = []
        for number, (session_id, size) in enumerate(zip(sessions, (*SIZES, LARGEST), strict=True), 1):
            setting.say(f"a report of {size:,}")
            await _insert(url, str(fake.journal), session_id, size, number * 10 * LARGEST)
            begin = time.perf_counter()
            path = f"/api/v1/dryrun/sessions/{session_id}/report"
            page = await http.get(path, params={"format": "html"}, timeout=_SECONDS)
            took.append((float(size), time.perf_counter() - begin))
            page.raise_for_status()
        return took


async def _ended(fake: FakeOrchestrator, http: httpx2.AsyncClient) -> str:
    """Return a session that has ended, and is known to have."""
    answer = await http.post("/api/v1/dryrun/sessions", json={"template": "small"})
    session_id = str(answer.raise_for_status().json()["id"])
    ScriptedSession(fake, UUID(session_id)).whole()
    async with asyncio.timeout(60):
        while (await http.get(f"/api/v1/dryrun/sessions/{session_id}")).json()["phase"] != "ended":
            await asyncio.sleep(0.1)
    return session_id


async def _insert(url: str, journal: str, session_id: str, size: int, after: int) -> None:
    engine = create_engine(url)
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        await driver.execute("SET statement_timeout = 0")
        await driver.execute(_INSERT, journal, session_id, size, after, timeout=_SECONDS)
        await driver.execute("ANALYZE gateway.dryrun_events", timeout=_SECONDS)
    await engine.dispose()
