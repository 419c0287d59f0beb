"""One-time links by which a person chooses a password. There is no other way to the first one."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import invitations as table
from approval_api.database.tables import people
from approval_api.people.repository import Account
from approval_api.people.secret_values import digest, new_secret

LASTS = timedelta(hours=24)
PATH = "/invitation"
"""The page that takes one, as `?secret=…`: this service logs no query strings."""


def path_of(secret: str) -> str:
    """Return the path of its page."""
    return f"{PATH}?secret={secret}"


async def make(connection: AsyncConnection, person_id: UUID) -> tuple[str, datetime]:
    """Store an invitation in place of an earlier one; return its secret and when it expires."""
    secret = new_secret()
    values = {
        "secret_sha256": digest(secret),
        "person_id": person_id,
        "created_at": func.now(),
        "expires_at": func.now() + LASTS,
    }
    made = (
        insert(table)
        .values(**values)
        .on_conflict_do_update(
            index_elements=["person_id"], set_={k: v for k, v in values.items() if k != "person_id"}
        )
        .returning(table.c.expires_at)
    )
    expires_at: datetime = (await connection.execute(made)).scalar_one()
    return secret, expires_at


async def find(connection: AsyncConnection, secret: str, *, lock: bool = False) -> Account | None:
    """Return whom an invitation is for; None when it is used, replaced, expired or unknown.

    With `lock`, others who want to change that person wait.
    """
    found = (
        select(people)
        .join(table, table.c.person_id == people.c.id)
        .where(
            table.c.secret_sha256 == digest(secret),
            table.c.expires_at > func.now(),
            people.c.active,
            people.c.issuer.is_(None),
        )
    )
    if lock:
        found = found.with_for_update(of=people, key_share=True)
    row = (await connection.execute(found)).mappings().one_or_none()
    return Account.of(row) if row is not None else None


async def take(connection: AsyncConnection, secret: str) -> Account | None:
    """Return whom it is for and use it up; of two concurrent attempts one gets None."""
    account = await find(connection, secret, lock=True)
    taken = await connection.execute(delete(table).where(table.c.secret_sha256 == digest(secret)))
    return account if taken.rowcount == 1 else None
