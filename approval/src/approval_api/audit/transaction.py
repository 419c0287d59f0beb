"""The transaction of a request, which stores what was done together with the audit log's line of it."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.audit.trail import write_done


async def _transaction(request: Request) -> AsyncIterator[AsyncConnection]:
    engine: AsyncEngine = request.app.state.engine
    async with engine.begin() as connection:
        yield connection
        # What was done and that it was done are stored together or not at all.
        await write_done(request, connection)


Transaction = Annotated[AsyncConnection, Depends(_transaction, scope="function")]
"""One request, one transaction: committed before the answer leaves, rolled back on any error."""
