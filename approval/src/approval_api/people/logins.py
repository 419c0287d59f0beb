"""Logins of browsers: rows of `logins`, and the cookie that holds the secret of one."""

from datetime import timedelta
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import logins as table
from approval_api.database.tables import people
from approval_api.identity.person import Person, Proof
from approval_api.identity.roles import permissions_of
from approval_api.people.repository import Account
from approval_api.people.secret_values import csrf_of, digest, new_secret
from approval_api.settings import LoginLimits, Settings

_SEEN_EVERY = timedelta(minutes=1)
"""Precision of a login's last use, so that not every request writes."""


def cookie_name(*, secure: bool) -> str:
    """Return the cookie's name. With `__Host-` browsers refuse it from another host or without TLS."""
    return "__Host-approval" if secure else "approval"


def is_secure(request: Request) -> bool:
    """Return whether the browser uses https, as far as this service can know."""
    settings: Settings = request.app.state.settings
    public = settings.public_url
    return public.scheme == "https" if public is not None else request.url.scheme == "https"


def read_cookie(request: Request) -> str | None:
    """Return the secret of the login in the request's cookie, if any."""
    return request.cookies.get(cookie_name(secure=is_secure(request)))


def set_cookie(request: Request, response: Response, secret: str) -> None:
    """Set the login's cookie. Without Max-Age the browser drops it when it is closed."""
    secure = is_secure(request)
    response.set_cookie(
        cookie_name(secure=secure), secret, path="/", secure=secure, httponly=True, samesite="lax"
    )


def delete_cookie(request: Request, response: Response) -> None:
    """Delete the login's cookie."""
    secure = is_secure(request)
    response.delete_cookie(cookie_name(secure=secure), path="/", secure=secure, httponly=True, samesite="lax")


def person_of(account: Account, secret: str) -> Person:
    """Return the person of a login with `secret`, with all permissions of their roles."""
    return Person(
        id=account.id,
        name=account.name,
        display_name=account.display_name,
        roles=account.roles,
        permissions=permissions_of(account.roles),
        proof=Proof.COOKIE,
        collectors=None,
        csrf=csrf_of(secret),
    )


async def begin(connection: AsyncConnection, person_id: UUID, address: str) -> str:
    """Store a login and return its new secret."""
    secret = new_secret()
    await connection.execute(
        insert(table).values(
            id_sha256=digest(secret),
            person_id=person_id,
            created_at=func.now(),
            seen_at=func.now(),
            address=address,
        )
    )
    return secret


async def end(connection: AsyncConnection, secret: str) -> None:
    """Delete a login."""
    await connection.execute(delete(table).where(table.c.id_sha256 == digest(secret)))


async def end_all_of(connection: AsyncConnection, person_id: UUID, *, but: str | None = None) -> int:
    """Delete a person's logins, all or all but one; return how many."""
    ended = delete(table).where(table.c.person_id == person_id)
    if but is not None:
        ended = ended.where(table.c.id_sha256 != digest(but))
    return (await connection.execute(ended)).rowcount


async def find(
    connection: AsyncConnection, secret: str, limits: LoginLimits, *, is_use: bool = True
) -> Account | None:
    """Return whose login this is; None when it has expired or the person is not active.

    Its idle time restarts if this `is_use` of it.
    """
    known = table.c.id_sha256 == digest(secret)
    row = (
        (
            await connection.execute(
                select(people, (table.c.seen_at < func.now() - _SEEN_EVERY).label("unseen"))
                .join(table, table.c.person_id == people.c.id)
                .where(
                    known,
                    people.c.active,
                    table.c.seen_at > func.now() - limits.idle,
                    table.c.created_at > func.now() - limits.longest,
                    or_(people.c.issuer.is_(None), people.c.confirmed_at > func.now() - limits.provider_word),
                )
            )
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        return None
    if row["unseen"] and is_use:
        await connection.execute(update(table).where(known).values(seen_at=func.now()))
    return Account.of(row)
