"""Checks of destinations: each is asked once, within a deadline, by the way that deliveries go."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import JsonValue, ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.database.errors import DATABASE_ERRORS
from approval_api.database.rounds import apart, work_in_rounds
from approval_api.database.storable import storable_text
from approval_api.deliveries.sending.sender import BusyError, RefusedError
from approval_api.deliveries.sending.worker import MakeSender
from approval_api.egress.client import NotAnsweredError
from approval_api.egress.hosts import NotAllowedError
from dryrun_contract.delivery import DestinationRequest

logger = logging.getLogger(__name__)

SECONDS = 30.0
"""For one check: two requests and what leads to them."""
LEASE = timedelta(seconds=10)
"""Renewed while a check is under way: after a kill another process begins it again within this time, and
whoever requested it still sees its answer (`dryrun destination check` waits for LEASE and SECONDS)."""
WAITS = timedelta(minutes=5)
"""A check that was not begun in this time is not made: whoever requested it has gone."""
_AT_ONCE = 4
_LONGEST_ANSWER = 500

_CLAIM = text("""
UPDATE gateway.destinations SET check_lease_until = now() + CAST(:lease AS interval)
WHERE id IN (
    SELECT id FROM gateway.destinations
    WHERE check_requested_at > now() - CAST(:waits AS interval) AND check_answered_at IS NULL
        AND coalesce(check_lease_until, '-infinity') <= now()
    ORDER BY check_requested_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id, request, check_requested_at
""")

# Another check may have been requested since; this is no answer to it. A destination that asked to be left
# alone is asked nothing before: no delivery either, and its next check is not requested until then.
_STORE = text("""
UPDATE gateway.destinations SET check_answered_at = now(), check_passed = :passed, check_answer = :answer,
    check_lease_until = now() + CAST(:rest AS interval),
    not_before = greatest(not_before, now() + CAST(:rest AS interval))
WHERE id = :id AND check_requested_at = :requested_at
""")

_RENEW = text("""
UPDATE gateway.destinations SET check_lease_until = now() + CAST(:lease AS interval)
WHERE id = :id AND check_requested_at = :requested_at AND check_answered_at IS NULL
""")


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: UUID
    request: JsonValue
    requested_at: datetime


class Checker:
    """Checks destinations for the life of the process."""

    def __init__(self, engine: AsyncEngine, make_sender: MakeSender, *, seconds: float = SECONDS) -> None:
        self._engine = engine
        self._make_sender = make_sender
        self._seconds = seconds

    async def run(self) -> None:
        """Work until cancelled; wait for a database that is unreachable."""
        await work_in_rounds(self.work_once, "checks of destinations")

    async def work_once(self) -> None:
        """Do the checks that wait, a few at a time."""
        async with self._engine.begin() as connection:
            claimed = await _claim(connection)
        await asyncio.gather(
            *(apart(self._check(each), "a check", destination=str(each.id)) for each in claimed)
        )

    async def _check(self, claimed: _Claimed) -> None:
        async with asyncio.TaskGroup() as under_way:
            renewal = under_way.create_task(self._renew(claimed))
            answer, passed, rest = await self._ask(claimed)
            renewal.cancel()
        stored = {"id": claimed.id, "requested_at": claimed.requested_at, "passed": passed, "rest": rest}
        async with self._engine.begin() as connection:
            await connection.execute(_STORE, {**stored, "answer": storable_text(answer[:_LONGEST_ANSWER])})

    async def _renew(self, claimed: _Claimed) -> None:
        """Keep a check to this process until cancelled."""
        kept = {"id": claimed.id, "requested_at": claimed.requested_at, "lease": LEASE}
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 4)
            # While the database is away, no other process can begin the check either.
            with suppress(*DATABASE_ERRORS):
                async with self._engine.begin() as connection:
                    await connection.execute(_RENEW, kept)

    async def _ask(self, claimed: _Claimed) -> tuple[str, bool, timedelta | None]:
        """Return what was seen, whether that passes, and for how long the destination is to be left alone."""
        passed, rest = False, None
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._make_sender(DestinationRequest.model_validate(claimed.request)).check()
            passed = True
        except ValidationError:
            answer = "another version stored this destination; remove it and add it again"
        except (RefusedError, NotAllowedError) as error:
            answer = str(error)
        except BusyError as error:
            answer = str(error)
            if error.seconds:
                rest = timedelta(seconds=error.seconds)
                answer += f"; it is to be left alone until {datetime.now(UTC) + rest:%Y-%m-%d %H:%M:%S} UTC"
        except (NotAnsweredError, TimeoutError) as error:
            answer = str(error) or f"no answer within {self._seconds:g} s"
        except Exception:
            logger.exception("a destination could not be checked", extra={"destination": str(claimed.id)})
            answer = "an error of this service; see its log"
        return answer, passed, rest


async def _claim(connection: AsyncConnection) -> list[_Claimed]:
    found = await connection.execute(_CLAIM, {"lease": LEASE, "waits": WAITS, "most": _AT_ONCE})
    return [_Claimed(row.id, row.request, row.check_requested_at) for row in found]
