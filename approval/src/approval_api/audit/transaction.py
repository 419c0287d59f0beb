"""The transaction of a request: a command and its line of the audit log are stored together."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.audit.log import write_done


async def _transaction(request: Request) -> AsyncIterator[AsyncConnection]:
    engine: AsyncEngine = request.app.state.engine
    async with engine.begin() as connection:
        yield connection
        # The command and its line are stored together or not at all.
        await write_done(request, connection)


Transaction = Annotated[AsyncConnection, Depends(_transaction, scope="function")]
"""One request, one transaction: committed before the answer is sent, rolled back on any error."""
