"""Deletes expired logins, invitations, known browsers and counts of attempts. Nothing else is deleted.

Every process does so; rows that another process is deleting are skipped.
"""

import logging
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.database.rounds import work_in_rounds
from approval_api.people import known_browsers, throttle
from approval_api.settings import LoginLimits

logger = logging.getLogger(__name__)

EVERY = timedelta(minutes=10)
BATCH_ROWS = 1_000
"""Rows per transaction: locks are short, so requests do not wait for them."""
MAX_THROTTLE_ROWS = 100_000
"""Beyond this the oldest are deleted. It takes attempts from some 5,000 addresses to get there."""

_EXPIRED = {
    "logins": """seen_at <= now() - CAST(:idle AS interval)
        OR created_at <= now() - CAST(:longest AS interval)""",
    "invitations": "expires_at <= now()",
    "known_browsers": "seen_at <= now() - CAST(:browsers AS interval)",
    "login_throttle": """failed_at < clock_timestamp() - CAST(:forget AS interval) OR failed_at < (
        SELECT failed_at FROM gateway.login_throttle ORDER BY failed_at DESC OFFSET :others LIMIT 1)""",
}


async def remove_expired(engine: AsyncEngine, limits: LoginLimits) -> dict[str, int]:
    """Return how many rows were deleted from each table. Raises DATABASE_ERRORS."""
    values: dict[str, dict[str, object]] = {
        "logins": {"idle": limits.idle, "longest": limits.longest},
        "invitations": {},
        "known_browsers": {"browsers": known_browsers.LASTS},
        "login_throttle": {"forget": throttle.FORGET_AFTER, "others": MAX_THROTTLE_ROWS - 1},
    }
    removed = dict.fromkeys(_EXPIRED, 0)
    for table, expired in _EXPIRED.items():
        batch = text(
            f"DELETE FROM gateway.{table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM gateway.{table} "  # noqa: S608  # names of this file
            f"WHERE {expired} LIMIT :batch FOR UPDATE SKIP LOCKED))"
        )
        while True:
            async with engine.begin() as connection:
                done = await connection.execute(batch, {**values[table], "batch": BATCH_ROWS})
            removed[table] += done.rowcount
            if done.rowcount < BATCH_ROWS:
                break
    return removed


async def run(engine: AsyncEngine, limits: LoginLimits) -> None:
    """Delete expired rows now and every `EVERY`, until cancelled."""

    async def work_once() -> None:
        removed = await remove_expired(engine, limits)
        if any(removed.values()):
            logger.info("deleted expired rows", extra={"rows": removed})

    await work_in_rounds(work_once, "expired rows", every=EVERY.total_seconds())
