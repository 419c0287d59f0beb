"""Browsers in which a person signed in by password before: the secret is kept there, its digest here.

Strangers can use up the attempts of an account or of an address; a browser with such a secret has attempts of
its own (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"). The secret proves nothing else.
"""

from datetime import timedelta
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import known_browsers as table
from approval_api.people import logins
from approval_api.people.secret_values import digest, new_secret

LASTS = timedelta(days=180)
"""Counted from the last sign-in there."""
MAX_PER_PERSON = 20
"""The least recently used one is removed."""


def _cookie_name(request: Request) -> str:
    return logins.cookie_name(secure=logins.is_secure(request)) + "-browser"


async def shown(connection: AsyncConnection, request: Request, person_id: UUID) -> str | None:
    """Return the secret of the browser if this person signed in there before."""
    secret = request.cookies.get(_cookie_name(request))
    if not secret:
        return None
    known = select(table.c.person_id).where(
        table.c.secret_sha256 == digest(secret),
        table.c.person_id == person_id,
        table.c.seen_at > func.now() - LASTS,
    )
    return secret if await connection.scalar(known) is not None else None


async def remember(
    connection: AsyncConnection, request: Request, response: Response, person_id: UUID
) -> None:
    """Make the browser a known one of this person.

    Only a secret that was made here for them is kept: another one may have been planted in the browser.
    """
    secret = await shown(connection, request, person_id)
    if secret is None:
        secret = new_secret()
        await connection.execute(
            insert(table).values(secret_sha256=digest(secret), person_id=person_id, seen_at=func.now())
        )
        newest = (
            select(table.c.secret_sha256)
            .where(table.c.person_id == person_id)
            .order_by(table.c.seen_at.desc())
            .limit(MAX_PER_PERSON)
        )
        await connection.execute(
            delete(table).where(table.c.person_id == person_id, table.c.secret_sha256.not_in(newest))
        )
    else:
        known = table.c.secret_sha256 == digest(secret)
        await connection.execute(update(table).where(known).values(seen_at=func.now()))
    response.set_cookie(
        _cookie_name(request),
        secret,
        max_age=int(LASTS.total_seconds()),
        path="/",
        secure=logins.is_secure(request),
        httponly=True,
        samesite="lax",
    )


async def forget_all_of(connection: AsyncConnection, person_id: UUID) -> None:
    """Forget all of a person's browsers: a password may be new because a browser was stolen."""
    await connection.execute(delete(table).where(table.c.person_id == person_id))
