"""Bounds what one person or program stores in production within a day, so that no token fills the disk.

Counted in requests and in bytes. A report is refused once its sender has used up either, before anything of
it is stored; the one that uses it up is still stored whole, and a scan that has begun can still end.
"""

from datetime import UTC, datetime, time, timedelta

from fastapi import Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.settings import Settings
from approval_api.telemetry.metrics import Metrics
from approval_api.web.problems import ProblemError
from dryrun_contract.production import ScanView

ROW_BYTES = 512
"""What a row takes beside its text: its other columns and its entries in indexes."""
_MIB = 1024 * 1024

_TODAY = text("""
SELECT requests, bytes FROM gateway.production_intake WHERE reporter = :reporter AND day = current_date
""")
_COUNT = text("""
INSERT INTO gateway.production_intake AS known (reporter, day, requests, bytes)
VALUES (:reporter, current_date, 1, :bytes)
ON CONFLICT (reporter) DO UPDATE SET day = greatest(known.day, excluded.day),
    requests = excluded.requests + CASE WHEN known.day >= excluded.day THEN known.requests ELSE 0 END,
    bytes = excluded.bytes + CASE WHEN known.day >= excluded.day THEN known.bytes ELSE 0 END
""")
"""What began before midnight may be counted after what began later: the newer day stays."""


async def require_room(request: Request, connection: AsyncConnection, reporter: str) -> None:
    """Raise a 429 problem when `reporter` has reported as much as one may in a day."""
    settings: Settings = request.app.state.settings
    metrics: Metrics = request.app.state.metrics
    today = (await connection.execute(_TODAY, {"reporter": reporter})).one_or_none()
    if today is None:
        return
    if today.requests >= settings.reports_per_day:
        used, which = f"sent {settings.reports_per_day} reports", "reports"
    elif today.bytes >= settings.reported_mib_per_day * _MIB:
        used, which = f"stored {settings.reported_mib_per_day} MiB of reports", "bytes"
    else:
        return
    metrics.reports_refused.labels(which).inc()
    name = "APPROVAL_REPORTS_PER_DAY" if which == "reports" else "APPROVAL_REPORTED_MIB_PER_DAY"
    raise ProblemError(
        "reported-too-much",
        429,
        f"{reporter} has {used} today, which is the limit for one day ({name}). Nothing of this request was "
        "stored; send it again after 00:00 UTC. If no collector should report this much, remove the token",
        title="Reported too much in a day",
        headers={"Retry-After": str(_seconds_of_today())},
    )


def bytes_of(scan: ScanView) -> int:
    """Return what a stored scan takes."""
    networks = (*scan.targets, *scan.excluded, *scan.not_covered)
    return ROW_BYTES + sum(len(str(each)) for each in networks)


def _seconds_of_today() -> int:
    now = datetime.now(UTC)
    tomorrow = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
    return max(1, round((tomorrow - now).total_seconds()))


async def count(connection: AsyncConnection, reporter: str, stored_bytes: int) -> None:
    """Count a request of `reporter`, in the transaction of what it stores and as its last lock."""
    await connection.execute(_COUNT, {"reporter": reporter, "bytes": stored_bytes})
