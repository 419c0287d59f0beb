"""How long a page of the list of dry-run discoveries takes with a million rows, wherever it lies."""

import random
import time
from typing import Any

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.engine import create_engine
from approval_api.database.migration import migrate
from bench.intervals import percentile
from bench.results import PartResult, Table
from bench.served_api import client, running_postgres, serving
from bench.turns import Setting

ABOUT = """\
Pages of 18 kinds of list of dry-run discoveries, from the beginning on and from anywhere in the middle,
over HTTP from an API process of its own on the embedded PostgreSQL."""
SESSIONS = 1000
FILL_SESSIONS = """
INSERT INTO gateway.dryrun_sessions (id, template, digest, seed, keep, requested_by, phase, outcome)
SELECT gen_random_uuid(), 'large', 'd', 0, false, 'bench', 'ended', 'completed'
FROM generate_series(1, :sessions)
"""
FILL = """
INSERT INTO gateway.dryrun_discoveries
    (dryrun_session_id, is_dryrun, collector, run, line, kind, key, data, confidence, found_at, status)
SELECT sessions.id, true, CASE WHEN n % 3 = 0 THEN 'database' ELSE 'network' END, '1', n,
    (ARRAY['table', 'table', 'table', 'service', 'service', 'host', 'database', 'web_app'])[n % 8 + 1],
    '10.' || n % 213 || '.' || n % 251 || '.' || n % 19 || ':5432/tcp/shop/public/orders_' || n,
    jsonb_build_object('product', 'product ' || n % 97, 'version', n % 20 || '.' || n % 7, 'columns',
        jsonb_build_array('id', 'name', 'created_at', 'customer_' || n % 1009, 'amount', 'note')),
    0.9, now() - make_interval(secs => n),
    CASE WHEN n % 100 = 0 THEN 'approved' WHEN n % 1000 = 1 THEN 'rejected' ELSE 'pending' END
FROM generate_series(1, :rows) AS n
JOIN (SELECT id, row_number() OVER () - 1 AS number FROM gateway.dryrun_sessions) AS sessions
    ON sessions.number = n * :sessions / (:rows + 1)
ORDER BY n
"""
CASES: dict[str, dict[str, Any]] = {
    "newest first": {},
    "by key": {"sort": "key"},
    "by key, backwards": {"sort": "-key"},
    "by kind": {"sort": "kind"},
    "by status": {"sort": "status"},
    "one kind": {"kind": "service"},
    "one kind, by key": {"kind": "service", "sort": "key"},
    "rejected (0.1 %)": {"status": "rejected"},
    "approved, by key": {"status": "approved", "sort": "key"},
    "kind and status": {"kind": "host", "status": "pending"},
    "what does not exist": {"kind": "certificate", "status": "approved"},
    "kind that another collector finds": {"kind": "web_app", "collector": "nobody"},
    "one session": {"session": True},
    "one session, by key": {"session": True, "sort": "key"},
    "search in one session": {"session": True, "search": "customer_1"},
    "search, common": {"search": "product 7"},
    "search, rare": {"search": "orders_777777"},
    "search, nothing": {"search": "no such text", "sort": "key"},
}


async def fill(url: str, rows: int) -> tuple[list[str], str]:
    """Make `rows` discoveries of 1000 sessions; return some of the sessions, and what it all takes."""
    engine = create_engine(url)
    await migrate(engine)
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        await driver.execute("SET statement_timeout = 0")
        await driver.execute(FILL_SESSIONS.replace(":sessions", str(SESSIONS)), timeout=600)
        filled = FILL.replace(":sessions", str(SESSIONS)).replace(":rows", str(rows))
        await driver.execute(filled, timeout=3600)
        await driver.execute("VACUUM ANALYZE gateway.dryrun_discoveries", timeout=600)
        sizes = await size(connection)
        ids = await connection.execute(text("SELECT id::text FROM gateway.dryrun_sessions LIMIT 50"))
        sessions = list(ids.scalars())
    await engine.dispose()
    return sessions, sizes


async def size(connection: AsyncConnection) -> str:
    """Return what table and indexes take."""
    sizes = await connection.scalar(
        text(
            "SELECT pg_size_pretty(pg_table_size(t)) || ' table, ' || pg_size_pretty(pg_indexes_size(t)) "
            "|| ' indexes' FROM (SELECT 'gateway.dryrun_discoveries'::regclass AS t)"
        )
    )
    return str(sizes)


async def walk(
    http: httpx2.AsyncClient, params: dict[str, Any], pages: int, sessions: list[str]
) -> list[float]:
    """Ask for pages from the beginning on and from anywhere in the middle; return seconds of each."""
    seconds: list[float] = []
    cursor: str | None = None
    while len(seconds) < pages:
        given = dict(params)
        if given.pop("session", False):
            given["session"] = random.choice(sessions)
            cursor = None
        if cursor is not None:
            given["cursor"] = cursor
        began = time.perf_counter()
        answer = await http.get("/api/v1/dryrun/discoveries", params=given)
        seconds.append(time.perf_counter() - began)
        answer.raise_for_status()
        cursor = answer.json()["next"]
    return seconds


async def measure(setting: Setting) -> PartResult:
    """Fill a database and walk through its lists."""
    rows, pages = setting.amount(200_000, long=1_000_000), setting.amount(30, long=100)
    random.seed(1)
    lines = []
    async with running_postgres() as postgres:
        url = postgres.url("dryrun")
        setting.say(f"{rows:,} rows are made")
        sessions, sizes = await fill(url, rows)
        async with serving(url, "http://127.0.0.1:1") as served, client(served) as http:
            for name, params in CASES.items():
                setting.say(name)
                seconds = await walk(http, params, pages, sessions)
                cells = (percentile(seconds, 0.5), percentile(seconds, 0.95), max(seconds))
                lines.append([name, *(f"{each * 1000:.1f} ms" for each in cells)])
            memory = served.memory_mib()
    title = f"{rows:,} rows ({sizes}), {pages} pages of each list; the API process holds {memory:.0f} MiB"
    table = Table(title=title, columns=["list", "p50", "p95", "worst"], rows=lines)
    return PartResult(part="discovery_lists", title="Lists of discoveries", about=ABOUT, tables=[table])
