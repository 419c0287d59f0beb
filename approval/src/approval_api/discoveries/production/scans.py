"""Scans of production: what a collector covered, and what a complete scan proves absent.

A scan proves something only about what it covered: its collector's discoveries at addresses inside its
targets, as far as its profile reaches, and only when it was complete. Whatever was reported since it began,
by it or not, counts as seen. Scans that ran at the same time count as one look, and so as one miss.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from itertools import product
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, and_, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import production_scans as table
from approval_api.discoveries.production.intake import ROW_BYTES
from approval_api.discoveries.production.repository import lock_collector
from approval_api.web.problems import ProblemError
from dryrun_contract.network import all_within, joined
from dryrun_contract.problem import Fault
from dryrun_contract.production import ScanEnd, ScanStart, ScanView

MAX_LISTED = 100
MOST_A_DAY = 1_000
"""Scans that one person or program begins as one collector, so that one gone wild fills no table. Others who
report as the same collector begin theirs meanwhile."""
BATCH_ROWS = 20_000
"""Rows of one statement, which may take 15 s; all of a scan's are one transaction."""
_SHOWN = "%Y-%m-%d %H:%M:%S UTC"
MOST_AHEAD = timedelta(seconds=60)
"""How far another machine's clock may be ahead of this one's."""

_MISS = text("""
WITH unseen AS MATERIALIZED (
    SELECT id FROM gateway.discoveries
    WHERE collector = :collector AND gone_at IS NULL AND last_seen_at < :started_at
        AND host <<= ANY (CAST(:targets AS inet[])) AND NOT host <<= ANY (CAST(:excluded AS inet[]))
        AND (:full OR seen_by_quick) AND coalesce(missed_at, '-infinity') < :started_at AND id > :after
    ORDER BY id LIMIT :batch FOR UPDATE
), missed AS (
    UPDATE gateway.discoveries AS known
    SET missed_scans = missed_scans + 1, missed_at = now(),
        revision = revision + (missed_scans + 1 >= :gone_after)::integer,
        gone_at = CASE WHEN missed_scans + 1 >= :gone_after THEN now() END,
        changed_at = CASE WHEN missed_scans + 1 >= :gone_after THEN now() ELSE changed_at END,
        change = CASE WHEN missed_scans + 1 >= :gone_after THEN 'gone' ELSE change END,
        status = CASE WHEN missed_scans + 1 >= :gone_after AND status = 'approved' THEN 'pending'
            ELSE status END
    FROM unseen WHERE known.id = unseen.id
    RETURNING known.id, known.revision, known.data, known.gone_at
), noted AS (
    INSERT INTO gateway.discovery_changes (discovery_id, revision, before, after, change)
    SELECT id, revision, data, data, 'gone' FROM missed WHERE gone_at IS NOT NULL
    RETURNING before, after
)
SELECT (SELECT count(*) FROM missed) AS missed, (SELECT count(*) FROM noted) AS gone,
    (SELECT max(id) FROM missed) AS last,
    (SELECT coalesce(sum(:row_bytes + octet_length(before::text) + octet_length(after::text)), 0) FROM noted)
        AS bytes
""")


async def begin(connection: AsyncConnection, start: ScanStart, started_by: str) -> ScanView:
    """Store a scan that begins now, or began before.

    Raises a 422 problem for one that began later than now, and a 429 problem for who began too many.
    """
    _require_begun(start)
    await lock_collector(connection, start.collector)
    lately = table.c.reported_at > func.now() - timedelta(days=1)
    own = and_(table.c.collector == start.collector, table.c.started_by == started_by)
    counted = select(func.count()).select_from(table).where(lately, own)
    if (await connection.scalar(counted) or 0) >= MOST_A_DAY:
        raise ProblemError(
            "too-many-scans",
            429,
            f"{started_by} began {MOST_A_DAY} scans as {start.collector!r} within a day, the most one may",
            title="Too many scans",
            headers={"Retry-After": "3600"},
        )
    stored = await connection.execute(
        insert(table)
        .values(
            id=uuid4(),
            collector=start.collector,
            targets=list(start.targets),
            excluded=_joined(start.exclude),
            profile=start.profile,
            started_by=started_by,
            not_covered=[],
            started_at=func.least(start.began_at, func.now()),  # least() passes over null
        )
        .returning(table)
    )
    return _view(stored.mappings().one())


def _require_begun(start: ScanStart) -> None:
    now = datetime.now(UTC)
    if start.began_at is None or start.began_at <= now + MOST_AHEAD:
        return
    why = (
        f"the scan began at {start.began_at:{_SHOWN}}, which is later than now, {now:{_SHOWN}}; give "
        f"the time when it began, with its zone; a clock up to {MOST_AHEAD.seconds} s ahead is no fault"
    )
    raise ProblemError(
        "invalid-request",
        422,
        why,
        title="The request is not valid",
        faults=(Fault(where="began_at", what=why),),
    )


async def find(connection: AsyncConnection, scan_id: UUID) -> ScanView | None:
    """Return a scan, or None."""
    found = await connection.execute(select(table).where(table.c.id == scan_id))
    row = found.mappings().one_or_none()
    return None if row is None else _view(row)


async def newest(connection: AsyncConnection, limit: int = MAX_LISTED) -> list[ScanView]:
    """Return the newest scans, newest first."""
    query = select(table).order_by(table.c.started_at.desc(), table.c.id.desc()).limit(limit)
    return [_view(row) for row in (await connection.execute(query)).mappings()]


async def end(
    connection: AsyncConnection, scan: ScanView, ended: ScanEnd, gone_after: int
) -> tuple[ScanView, int]:
    """End a scan, and count what it missed; an ended one is returned as it is.

    Returns with it how many bytes of history that made.

    What `gone_after` complete scans in a row missed is gone. An approved discovery that is gone is pending
    again: that it is gone is to be approved too. A scan that looked at nothing is incomplete, whatever its
    end says.
    """
    # Reports of this collector wait: what they bring is seen.
    await lock_collector(connection, scan.collector)
    now = await find(connection, scan.id)
    if now is None or now.ended_at is not None:
        return now or scan, 0
    not_covered = _within(scan.targets, ended.not_covered)
    unseen = [*scan.excluded, *not_covered]
    complete = ended.complete and not all_within(map(ip_network, scan.targets), map(ip_network, unseen))
    missed, gone, history = await _miss(connection, scan, unseen, gone_after) if complete else (0, 0, 0)
    stored = await connection.execute(
        table.update()
        .where(table.c.id == scan.id)
        .values(
            ended_at=text("now()"),
            complete=complete,
            missed=missed,
            gone=gone,
            not_covered=not_covered,
        )
        .returning(table)
    )
    return _view(stored.mappings().one()), history


def _joined(networks: Iterable[str]) -> list[str]:
    """Return the fewest networks that cover the same addresses."""
    return [str(each) for each in joined(map(ip_network, networks))]


def _within(targets: Iterable[str], networks: Iterable[str]) -> list[str]:
    """Return what of `networks` lies in `targets`."""
    pairs = product(map(ip_network, targets), map(ip_network, _joined(networks)))
    smaller = (max(pair, key=lambda each: each.prefixlen) for pair in pairs if pair[0].overlaps(pair[1]))
    return _joined(map(str, smaller))


async def _miss(
    connection: AsyncConnection, scan: ScanView, excluded: Sequence[str], gone_after: int
) -> tuple[int, int, int]:
    """Return how many discoveries the scan missed, how many are gone, and the bytes of their history."""
    given = {
        "collector": scan.collector,
        "started_at": scan.started_at,
        "targets": list(map(str, scan.targets)),
        "excluded": excluded,
        "full": scan.profile == "full",
        "gone_after": gone_after,
        "batch": BATCH_ROWS,
        "row_bytes": ROW_BYTES,
    }
    missed, gone, history, after = 0, 0, 0, 0
    while True:
        counted = (await connection.execute(_MISS, given | {"after": after})).one()
        missed, gone = missed + counted.missed, gone + counted.gone
        history += int(counted.bytes)
        if counted.missed < BATCH_ROWS:
            return missed, gone, history
        after = counted.last


def _view(row: RowMapping) -> ScanView:
    networks = {name: tuple(map(str, row[name])) for name in ("targets", "excluded", "not_covered")}
    return ScanView.model_validate({**{name: row[name] for name in ScanView.model_fields}, **networks})
