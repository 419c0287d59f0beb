"""Whether the database answers: asked for readiness, and watched for the metrics when nobody asks."""

import asyncio

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.database import engine as pools
from approval_api.database.errors import DATABASE_ERRORS

_EVERY_SECONDS = 5.0


async def ask(engine: AsyncEngine) -> None:
    """Return once the database has answered. Raises DATABASE_ERRORS, after PING_SECONDS at the latest.

    To wait for a connection, or to make one, may take longer; who waits for readiness does not.
    """
    async with asyncio.timeout(pools.PING_SECONDS), engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        try:
            await driver.execute("SELECT 1")
        except asyncio.CancelledError:
            # To return it to the pool, the driver would wait for the server too.
            driver.terminate()
            raise


async def watch(engine: AsyncEngine, up: Gauge) -> None:
    """Set `up` to whether the database answers, every few seconds until cancelled."""
    while True:
        try:
            await ask(engine)
        except DATABASE_ERRORS:
            up.set(0)
        else:
            up.set(1)
        await asyncio.sleep(_EVERY_SECONDS)
