"""Slows down password guessing: failed attempts are counted across all processes, by account and by address.

A browser in which the person signed in before has a count of its own. All others share the account's count
and their address's, so strangers who use these up delay nobody at a known browser.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from dryrun_serving.networks import site_of

FORGET_AFTER = timedelta(minutes=30)
LONGEST_WAIT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Subject:
    """What failures are counted for, and how many are free before each doubles the wait."""

    name: str
    free: int

    @property
    def sha256(self) -> bytes:
        """Return the digest to store: a name may be a password typed into the wrong field."""
        return hashlib.sha256(self.name.encode("utf-8", "surrogatepass")).digest()


def account(name: str) -> Subject:
    """Return the subject of an account name, whether such an account exists or not."""
    return Subject(f"account {name}", 5)


def address(given: str) -> Subject:
    """Return the subject of an address (IPv6: its site). Offices share one: it gets more attempts."""
    return Subject(f"address {site_of(given)}", 20)


def known_browser(secret: str) -> Subject:
    """Return the subject of a browser in which this person signed in before."""
    return Subject(f"browser {secret}", 5)


def password_change(person_id: UUID) -> Subject:
    """Return the subject of attempts to change a password: they need a login, which strangers lack."""
    return Subject(f"change {person_id}", 5)


# Counted before the password is verified, so that concurrent attempts cannot get around it. An attempt that
# has to wait is not counted, so guessing cannot keep extending the wait. A failure in the future is from
# before the clock was set back: nobody waits until that time comes again.
_COUNT = text("""
INSERT INTO gateway.login_throttle AS known (subject_sha256, failures, failed_at)
VALUES (:subject, 1, clock_timestamp())
ON CONFLICT (subject_sha256) DO UPDATE
SET failures = CASE WHEN known.failed_at < clock_timestamp() - CAST(:forget AS interval)
                    THEN 1 ELSE known.failures + 1 END,
    failed_at = clock_timestamp()
WHERE known.failed_at + make_interval(secs => least(:longest, CASE
    WHEN known.failures < :free THEN 0 ELSE power(2, least(known.failures - :free, 20)) END))
    <= clock_timestamp() OR known.failed_at > clock_timestamp()
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


async def count_try(connection: AsyncConnection, subject: Subject) -> int:
    """Count an attempt as failed for now; return 0, or how many seconds it has to wait."""
    limits = {"subject": subject.sha256, "free": subject.free, "longest": LONGEST_WAIT_SECONDS}
    counted = await connection.scalar(_COUNT, {**limits, "forget": FORGET_AFTER})
    if counted is not None:
        return 0
    return max(int(await connection.scalar(_WAIT, limits) or 0), 1)


async def forgive_one(connection: AsyncConnection, subject: Subject) -> None:
    """Take back one attempt of `subject`; earlier failures stay counted."""
    await connection.execute(_FORGIVE, {"subject": subject.sha256})


async def forget(connection: AsyncConnection, subject: Subject) -> None:
    """Delete the count of `subject`."""
    await connection.execute(_FORGET, {"subject": subject.sha256})
