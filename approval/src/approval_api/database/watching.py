"""Whether the database answers: asked for readiness, and watched for the metrics when nobody asks."""

import asyncio

from prometheus_client import Gauge
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.database.errors import DATABASE_ERRORS

_EVERY_SECONDS = 5.0


async def ask(engine: AsyncEngine) -> None:
    """Return once the database has answered. Raises DATABASE_ERRORS."""
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


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
