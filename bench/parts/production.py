"""What a million production discoveries cost: changes of a day, a scan's end, pruning, reading meanwhile."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.database.engine import create_engine
from approval_api.database.migration import migrate
from approval_api.deliveries import service as deliveries
from approval_api.discoveries.production import repository, rules, scans
from approval_api.retention.pruning import prune
from approval_api.settings import RetentionPolicy
from bench.intervals import percentile
from bench.results import PartResult, Table
from bench.served_api import client, running_postgres, serving
from bench.turns import Setting
from dryrun_contract.delivery import DestinationRequest
from dryrun_contract.production import RuleRequest, ScanEnd, ScanStart

ABOUT = """\
Production discoveries of one collector on the embedded PostgreSQL (a million with `LONG=1`): 1 % of them
changed within a day, a fifth have been gone for more than a year, a third are open, and as many older changes
are kept. A day's changes: counted by kind, as the page and `dryrun production changes` show them. A rule's
preview: over the whole queue. A delivery's preview: to a destination that has all of it, except for what
changed within a day and the removal of every thousandth. A scan's end: a complete scan of everything that
found all but 10 %. Pruning: what has been gone for a year, except for removals that no destination has
received yet, and the older changes, while a reader asks for pages of the list all the time."""
PATH = "/api/v1/production/discoveries"
_FILL = """
INSERT INTO gateway.discoveries (collector, kind, key, data, confidence, status, decided_as, decided_revision,
    host, change, gone_at, changed_at, found_at, last_seen_at, revision, reported_by,
    decided_by, decided_at, note)
SELECT 'network', CASE WHEN n % 4 = 0 THEN 'host' ELSE 'service' END,
    '10.' || n / 65536 % 256 || '.' || n / 256 % 256 || '.' || n % 256 || ':' || n % 60000 + 1 || '/tcp',
    jsonb_build_object('product', 'product ' || n % 97, 'version', n % 20 || '.' || n % 7),
    0.9, CASE WHEN n % 3 = 0 THEN 'pending' ELSE 'approved' END, 'approved', (n % 3 > 0)::int,
    ('10.' || n / 65536 % 256 || '.' || n / 256 % 256 || '.' || n % 256)::inet,
    CASE WHEN n % 5 = 0 THEN 'gone' WHEN n % 100 = 1 THEN 'changed' ELSE 'new' END,
    CASE WHEN n % 5 = 0 THEN now() - interval '400 days' END,
    CASE WHEN n % 5 = 0 THEN now() - interval '400 days'
        WHEN n % 100 = 1 THEN now() - interval '20 hours' END,
    now() - interval '500 days',
    CASE WHEN n % 5 = 0 THEN now() - interval '400 days' WHEN n % 10 = 1 THEN now() - interval '1 hour'
        ELSE now() + interval '1 hour' END,
    1, 'bench', 'bench', now() - interval '450 days', ''
FROM generate_series(1, $ROWS) AS n
"""
_CHANGES = """
INSERT INTO gateway.discovery_changes (discovery_id, revision, at, before, after)
SELECT id, 1, found_at, data, data FROM gateway.discoveries WHERE id % 5 = 0
UNION ALL SELECT id, 1, changed_at, data, data FROM gateway.discoveries WHERE change = 'changed'
"""
_RULE = RuleRequest(
    name="bench",
    collectors=("network",),
    reporters=("bench",),
    kinds=("host", "service"),
    subnets=("10.0.0.0/9",),
    min_confidence=0.9,
    attributes={"product": ("product 1", "product 2"), "version": "any"},
    changes=("new", "changed"),
    most_a_day=10_000,
)


_HAS = """
INSERT INTO gateway.delivered (destination_id, discovery_id, revision, digest)
SELECT $1, id, revision - (id % 70 = 1)::int, sha256('before') FROM gateway.discoveries
WHERE status = 'approved' AND (gone_at IS NULL OR id % 1000 = 0)
"""


async def measure(setting: Setting) -> PartResult:
    """Fill a database, and do with it what a day does."""
    rows = setting.amount(200_000, long=1_000_000)
    async with running_postgres() as postgres:
        url = postgres.url("dryrun")
        setting.say(f"{rows:,} rows are made")
        await fill(url, rows)
        engine = create_engine(url)
        try:
            async with serving(url, "http://127.0.0.1:1") as served, client(served) as http:
                lines = await _lines(engine, http, setting)
        finally:
            await engine.dispose()
    table = Table(title=f"{rows:,} production discoveries", columns=["work", "took", "rows"], rows=lines)
    return PartResult(part="production", title="Production discoveries", about=ABOUT, tables=[table])


async def fill(url: str, rows: int) -> None:
    """Make `rows` discoveries with their changes."""
    engine = create_engine(url)
    await migrate(engine)
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        await driver.execute("SET statement_timeout = 0")
        await driver.execute(_FILL.replace("$ROWS", str(rows)), timeout=3600)
        await driver.execute(_CHANGES, timeout=3600)
        await driver.execute("VACUUM ANALYZE", timeout=600)
    await engine.dispose()


async def _lines(engine: AsyncEngine, http: httpx2.AsyncClient, setting: Setting) -> list[list[str]]:
    lines = []
    setting.say("a day's changes")
    seconds = []
    for _ in range(setting.amount(10, long=30)):
        async with engine.connect() as connection:
            began = time.perf_counter()
            counted = await repository.changes_since(connection, datetime.now(UTC) - timedelta(days=1))
            seconds.append(time.perf_counter() - began)
    number = sum(each.count for each in counted.counts)
    lines.append(["a day's changes, by kind", _ms(percentile(seconds, 0.5)), f"{number:,}"])
    setting.say("a rule's preview")
    seconds = []
    for _ in range(setting.amount(3, long=5)):
        async with engine.connect() as connection:
            began = time.perf_counter()
            shown = await rules.preview(connection, _RULE)
            seconds.append(time.perf_counter() - began)
    found = f"{shown.matching:,} of {shown.queue:,} open"
    lines.append(["a rule's preview", _ms(percentile(seconds, 0.5)), found])
    lines.append(await _delivery_preview(engine, setting))
    setting.say("a scan's end")
    async with engine.begin() as connection:
        start = ScanStart(collector="network", targets=("10.0.0.0/8",), profile="full")
        scan = await scans.begin(connection, start, "bench")
    async with engine.begin() as connection:
        began = time.perf_counter()
        ended, _ = await scans.end(connection, scan, ScanEnd(complete=True), 3)
        lines.append(["a scan's end", f"{time.perf_counter() - began:.1f} s", f"{ended.missed:,} missed"])
    setting.say("pages")
    alone = await _pages(http, asyncio.Event(), setting.amount(50, long=200))
    lines.append(["a page of the list, nothing else", _both(alone), f"{len(alone)} pages"])
    setting.say("pruning")
    over = asyncio.Event()
    reading = asyncio.create_task(_pages(http, over, 100_000))
    began = time.perf_counter()
    removed = await prune(engine, RetentionPolicy(discoveries=timedelta(days=365)))
    took = time.perf_counter() - began
    over.set()
    meanwhile = await reading
    total = sum(removed.values())
    lines.append(["pruning", f"{took:.1f} s", f"{total:,} removed, {total / took:,.0f}/s"])
    lines.append(["a page of the list, during that", _both(meanwhile), f"{len(meanwhile)} pages"])
    async with engine.connect() as connection:
        left = await connection.scalar(text("SELECT count(*) FROM gateway.discoveries"))
    lines.append(["left", "", f"{left:,}"])
    return lines


async def _delivery_preview(engine: AsyncEngine, setting: Setting) -> list[str]:
    setting.say("a delivery's preview")
    request = DestinationRequest(name="bench", kind="ndjson")
    async with engine.begin() as connection:
        destination = (await deliveries.add_destination(connection, request, "bench")).id
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        await driver.execute("SET statement_timeout = 0")
        await driver.execute(_HAS, destination, timeout=600)
        await driver.execute("VACUUM ANALYZE gateway.delivered", timeout=600)
        await driver.execute("RESET statement_timeout")
    seconds = []
    for _ in range(setting.amount(3, long=5)):
        async with engine.connect() as connection:
            began = time.perf_counter()
            shown = await deliveries.preview(connection, destination, "bench")
            seconds.append(time.perf_counter() - began)
            await connection.rollback()
    what = (
        f"{shown.counts.change:,} to change, {shown.counts.remove:,} to remove, {shown.unchanged:,} unchanged"
    )
    return ["a delivery's preview", _ms(percentile(seconds, 0.5)), what]


async def _pages(http: httpx2.AsyncClient, over: asyncio.Event, most: int) -> list[float]:
    seconds: list[float] = []
    while len(seconds) < most and not over.is_set():
        began = time.perf_counter()
        answer = await http.get(PATH, params={"sort": "key"})
        answer.raise_for_status()
        seconds.append(time.perf_counter() - began)
    return seconds


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def _both(seconds: list[float]) -> str:
    return f"p50 {_ms(percentile(seconds, 0.5))}, p95 {_ms(percentile(seconds, 0.95))}"
