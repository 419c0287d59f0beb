"""Locks that one transaction holds at a time, by name: what is counted first cannot be outrun."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext(:name))")


async def hold(connection: AsyncConnection, name: str) -> None:
    """Wait for the lock of this name, and hold it until the transaction ends."""
    await connection.execute(_LOCK, {"name": name})
