"""Whether the database answers: asked for readiness, and watched for the metrics when nobody asks."""

import asyncio

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.database import engine as pools
from approval_api.database.errors import DATABASE_ERRORS

_EVERY_SECONDS = 5.0


async def ask(engine: AsyncEngine) -> None:
    """Return once the database has answered, which may take PING_SECONDS. Raises DATABASE_ERRORS."""
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        try:
            await driver.execute("SELECT 1", timeout=pools.PING_SECONDS)
        except TimeoutError:
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
