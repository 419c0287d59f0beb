"""Slows down guessing: failed sign-ins are counted by account and by address, in all processes together."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

FORGET_AFTER = timedelta(minutes=30)
LONGEST_WAIT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Subject:
    """What failures are counted for, and how many are free before each costs a doubled wait."""

    name: str
    free: int

    @property
    def sha256(self) -> bytes:
        """Return what is stored: a name may be a password that was typed in the wrong field."""
        return hashlib.sha256(self.name.encode("utf-8", "surrogatepass")).digest()


def subjects(name: str, address: str) -> tuple[Subject, Subject]:
    """Return the account and the address. An office behind one address gets more tries than an account."""
    return Subject(f"account {name}", 5), Subject(f"address {address}", 20)


# Counted before the password is looked at: a thousand tries at the same moment are no way round it. A try
# that has to wait is not counted, so whoever guesses cannot keep the wait growing.
_COUNT = text("""
INSERT INTO gateway.login_throttle AS known (subject_sha256, failures, failed_at)
VALUES (:subject, 1, clock_timestamp())
ON CONFLICT (subject_sha256) DO UPDATE
SET failures = CASE WHEN known.failed_at < clock_timestamp() - CAST(:forget AS interval)
                    THEN 1 ELSE known.failures + 1 END,
    failed_at = clock_timestamp()
WHERE known.failed_at + make_interval(secs => least(:longest, CASE
    WHEN known.failures < :free THEN 0 ELSE power(2, least(known.failures - :free, 20)) END))
    <= clock_timestamp()
RETURNING failures
""")

_WAIT = text("""
SELECT ceil(extract(epoch FROM failed_at - clock_timestamp())
    + least(:longest, CASE WHEN failures < :free THEN 0 ELSE power(2, least(failures - :free, 20)) END))
FROM gateway.login_throttle WHERE subject_sha256 = :subject
""")

_FORGIVE = text("""
UPDATE gateway.login_throttle SET failures = greatest(failures - 1, 0) WHERE subject_sha256 = :subject
""")

_FORGET = text("DELETE FROM gateway.login_throttle WHERE subject_sha256 = :subject")

_FORGET_OLD = text("""
DELETE FROM gateway.login_throttle WHERE failed_at < clock_timestamp() - CAST(:forget AS interval)
""")


async def count_try(connection: AsyncConnection, subject: Subject) -> int:
    """Count a try as failed until it is known better; return 0, or how many seconds it has to wait."""
    limits = {"subject": subject.sha256, "free": subject.free, "longest": LONGEST_WAIT_SECONDS}
    counted = await connection.scalar(_COUNT, {**limits, "forget": FORGET_AFTER})
    if counted is not None:
        return 0
    return max(int(await connection.scalar(_WAIT, limits) or 0), 1)


async def succeeded(connection: AsyncConnection, account: Subject, address: Subject) -> None:
    """Forget the account's failures. The address keeps its own: its other guesses were no better for it."""
    await forget(connection, account)
    await connection.execute(_FORGIVE, {"subject": address.sha256})


async def forget(connection: AsyncConnection, subject: Subject) -> None:
    """Forget the failures of `subject`."""
    await connection.execute(_FORGET, {"subject": subject.sha256})


async def remove_old(connection: AsyncConnection) -> None:
    """Remove what is forgotten."""
    await connection.execute(_FORGET_OLD, {"forget": FORGET_AFTER})
