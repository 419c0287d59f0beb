"""The transaction of a request: a command and its line of the audit log are stored together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.audit.log import note_stored, write_done
from approval_api.database.engine import CONNECTIONS
from approval_api.web.problems import too_many_at_once
from approval_api.web.rate_limit import bucket_of_address
from dryrun_serving.ceiling import Ceiling

AT_ONCE = 5
"""Transactions of one person: more than the turns that one has, so that an answer that waits holds up no
other. Those that wait for a lock hold a connection, and the process has ten: people share nine, of which a
few who take all they can leave one to the next, and one is left for looking up who asks."""
WAIT_SECONDS = 10.0


def transactions() -> Ceiling:
    """Return how many transactions there may be, in all and of one person."""
    return Ceiling(CONNECTIONS - 1, AT_ONCE)


async def _transaction(request: Request) -> AsyncIterator[AsyncConnection]:
    engine: AsyncEngine = request.app.state.engine
    places: Ceiling = request.app.state.transactions
    who = str(request.scope.get("actor") or bucket_of_address(request))
    async with AsyncExitStack() as held:
        try:
            await held.enter_async_context(places.place_within(WAIT_SECONDS, who))
        except TimeoutError:
            raise too_many_at_once() from None
        async with engine.begin() as connection:
            yield connection
            # The command and its line are stored together or not at all.
            await write_done(request, connection)
        # Not before the commit: one that fails takes the line along, and the command needs another.
        note_stored(request)


Transaction = Annotated[AsyncConnection, Depends(_transaction, scope="function")]
"""One request, one transaction: committed before the answer is sent, rolled back on any error."""
