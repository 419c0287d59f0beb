"""Sessions that the orchestrator prepared ahead: which of them a start may take, and what people see of them.

Taking one reserves nothing: the session gets its id, and requesting that id is the claim. One that is gone by
then starts cold under the same id, so nothing here has to be right, and no failure here fails a start.
"""

from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from approval_api.orchestrator.client import at_once
from dryrun_contract.pool import ANY_TEMPLATE, Pool, PoolLine, PreparedSession
from dryrun_contract.session import SessionRequest


class PoolSource(Protocol):
    """The orchestrator's call about its pool."""

    async def pool(self) -> Pool:
        """Return what is prepared."""
        ...


async def prepared_ids(orchestrator: PoolSource, request: SessionRequest) -> tuple[UUID, ...]:
    """Return the ids that a session of this request may take, best first; none when that is unknown.

    Sessions of its template and seed come before networks for any template. Each host of a fleet has a line
    of its own.
    """
    # An orchestrator that is slower to say what it has would not save time.
    pool = await at_once(orchestrator.pool(), "what is prepared")
    lines = pool.lines if pool else ()
    whole = [line for line in lines if (line.template, line.seed) == (request.template, request.seed)]
    networks = [line for line in lines if line.template == ANY_TEMPLATE]
    return tuple(each.id for found in (whole, networks) for each in _by_time_left(found))


def _by_time_left(lines: Iterable[PoolLine]) -> list[PreparedSession]:
    ready = [prepared for line in lines for prepared in line.ready]
    return sorted(ready, key=lambda each: each.expires_at, reverse=True)
