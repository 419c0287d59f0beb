"""The connection pool: small, with a deadline on connecting, on waiting and on every statement."""

import asyncio
import logging
import time
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from approval_api.database.errors import DRIVER_ERRORS, keep_values_out_of_errors

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5
CLOSE_SECONDS = 3
STATEMENT_SECONDS = 15
MIGRATION_SECONDS = 600
"""For one statement of the schema's owner: an index over millions of rows takes minutes."""
CLIENT_LATER_SECONDS = 5
"""The server times out first; the client's own deadline is for a server that went silent."""
CONNECTIONS = 10
PING_AFTER_SECONDS = 10.0
"""How long a connection may be idle before it has to answer a ping. Whatever cuts idle ones takes minutes."""
PING_SECONDS = 3.0
"""How long the answer may take: what cuts idle connections drops every byte, and says nothing."""

APP_ROLE = "approval_app"
"""The application's role, whichever role it logs in as; `migrations` grant its rights."""
DELIVERY_ROLE = "approval_delivery"
"""The role of the process that delivers: approved discoveries of production, and its own outbox."""


def create_owner_engine(url: str) -> AsyncEngine:
    """Return a pool for who migrates the schema: statements may take MIGRATION_SECONDS."""
    return create_engine(url, statement_seconds=MIGRATION_SECONDS)


def create_engine(
    url: str,
    *,
    role: str | None = None,
    connections: int = CONNECTIONS,
    statement_seconds: float | None = None,
) -> AsyncEngine:
    """Return a pool of at most `connections`. One that died is replaced before it is used.

    With `role`, which must exist, every statement runs with that role's rights; it takes STATEMENT_SECONDS at
    most, unless `statement_seconds` says otherwise.
    """
    longest = STATEMENT_SECONDS if statement_seconds is None else statement_seconds
    engine = create_async_engine(
        url,
        hide_parameters=True,
        # The last one returned is taken first: it knows the tables and statements in use. All are kept, since
        # the tasks of a start need them at the same time, and a new one costs the server 10 ms of processor.
        pool_size=connections,
        max_overflow=0,
        pool_use_lifo=True,
        pool_timeout=CONNECT_SECONDS,
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": longest + CLIENT_LATER_SECONDS,
            "server_settings": {
                "application_name": "approval-api",
                "statement_timeout": str(round(longest * 1000)),
                "idle_in_transaction_session_timeout": str(round(longest * 2000)),
                "timezone": "UTC",
                "jit": "off",
                # Lists differ by their filters: a generic plan uses the wrong index for some of them.
                "plan_cache_mode": "force_custom_plan",
                **({"role": role} if role else {}),
            },
        },
    )
    keep_values_out_of_errors(engine)
    _replace_dead_connections(engine)
    return engine


def _replace_dead_connections(engine: AsyncEngine) -> None:
    """Have a connection that died replaced when it is taken from the pool.

    The driver sees at once when the server closes one. SQLAlchemy's own `pool_pre_ping` asks the server each
    time instead, in three round trips: as many as a transaction of one statement takes.
    """
    pool = engine.sync_engine.pool

    @event.listens_for(pool, "checkin")
    def note_return(_connection: object, record: Any) -> None:
        record.info["returned_at"] = time.monotonic()

    @event.listens_for(pool, "checkout")
    def replace_if_dead(connection: Any, record: Any, _fairy: object) -> None:
        returned_at = record.info.get("returned_at")
        if returned_at is None:
            return
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError("the server closed the connection")
        if time.monotonic() - returned_at > PING_AFTER_SECONDS:
            try:
                connection.run_async(lambda driver: driver.execute("SELECT 1", timeout=PING_SECONDS))
            except (*DRIVER_ERRORS, OSError, asyncio.CancelledError) as error:
                # To close it, the driver would wait for the server too.
                connection.driver_connection.terminate()
                if isinstance(error, asyncio.CancelledError):
                    raise
                raise InvalidatePoolError(f"the connection did not answer: {error}") from error


async def close_engine(engine: AsyncEngine) -> None:
    """Close all connections of `engine`; those to a server that has become silent are given up."""
    try:
        # The driver itself waits for ever until the server closes its side.
        async with asyncio.timeout(CLOSE_SECONDS):
            await engine.dispose()
    except TimeoutError:
        logger.warning("the database did not answer to the end of its connections")
