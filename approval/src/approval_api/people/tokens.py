"""Personal API tokens: shown once, kept as a digest, scoped, expiring. Rows of `api_tokens`."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, and_, delete, func, insert, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import api_tokens as table
from approval_api.database.tables import people
from approval_api.identity.person import Person, Proof
from approval_api.identity.roles import SCOPES, Permission, permissions_of
from approval_api.people.repository import Account
from approval_api.people.schemas import NewToken, TokenMade, TokenView
from approval_api.people.secret_values import TOKEN_PREFIX, digest, new_secret

MAX_PER_PERSON = 50
_USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ShownToken:
    """The owner of a token that was shown, and its scopes."""

    id: UUID
    account: Account
    scopes: frozenset[Permission]
    collectors: frozenset[str]
    confirmation_expired: bool
    """Its owner signs in at a provider, which last confirmed them too long ago."""

    @property
    def person(self) -> Person:
        """Return the owner with the permissions that both their roles and the scopes give now."""
        account = self.account
        return Person(
            id=account.id,
            name=account.name,
            display_name=account.display_name,
            roles=account.roles,
            permissions=permissions_of(account.roles) & self.scopes & SCOPES,
            proof=Proof.TOKEN,
            collectors=self.collectors,
            token_id=self.id,
        )


def _view(row: RowMapping) -> TokenView:
    return TokenView(
        id=row["id"],
        label=row["label"],
        scopes=tuple(sorted(map(Permission, row["scopes"]))),
        collectors=tuple(sorted(row["collectors"])),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
    )


async def make(connection: AsyncConnection, person_id: UUID, wanted: NewToken) -> TokenMade:
    """Store a new token."""
    secret = TOKEN_PREFIX + new_secret()
    result = await connection.execute(
        insert(table)
        .values(
            id=uuid4(),
            person_id=person_id,
            label=wanted.label,
            secret_sha256=digest(secret),
            scopes=sorted(wanted.scopes),
            collectors=sorted(wanted.collectors),
            created_at=func.now(),
            expires_at=func.now() + timedelta(days=wanted.days),
        )
        .returning(table)
    )
    return TokenMade(token=_view(result.mappings().one()), secret=secret)


async def list_of(connection: AsyncConnection, person_id: UUID) -> list[TokenView]:
    """Return a person's tokens, expired ones too, newest first."""
    query = select(table).where(table.c.person_id == person_id).order_by(table.c.created_at.desc())
    return [_view(row) for row in (await connection.execute(query)).mappings()]


async def remove(connection: AsyncConnection, person_id: UUID, token_id: UUID) -> bool:
    """Delete a token of this person; False when they have no such token."""
    gone = delete(table).where(table.c.id == token_id, table.c.person_id == person_id)
    return (await connection.execute(gone)).rowcount == 1


async def remove_all_of(connection: AsyncConnection, person_id: UUID) -> int:
    """Delete a person's tokens; return how many."""
    return (await connection.execute(delete(table).where(table.c.person_id == person_id))).rowcount


async def find(
    connection: AsyncConnection, secret: str, confirmation_lasts: timedelta, *, is_use: bool = True
) -> ShownToken | None:
    """Return whose token this is; None when it has expired or the person is not active.

    A provider's confirmation of the owner is valid for `confirmation_lasts`. `last_used_at` is updated if
    this `is_use` of it.
    """
    known = table.c.secret_sha256 == digest(secret)
    unnoted = or_(table.c.last_used_at.is_(None), table.c.last_used_at < func.now() - _USED_EVERY)
    row = (
        (
            await connection.execute(
                select(
                    people,
                    table.c.id.label("token_id"),
                    table.c.scopes,
                    table.c.collectors,
                    unnoted.label("unnoted"),
                    and_(
                        people.c.issuer.is_not(None),
                        func.coalesce(people.c.confirmed_at < func.now() - confirmation_lasts, true()),
                    ).label("old"),
                )
                .join(table, table.c.person_id == people.c.id)
                .where(known, people.c.active, table.c.expires_at > func.now())
            )
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        return None
    if is_use and row["unnoted"] and not row["old"]:
        await connection.execute(update(table).where(known).values(last_used_at=func.now()))
    scopes = frozenset(map(Permission, row["scopes"]))
    return ShownToken(
        row["token_id"],
        Account.of(row),
        scopes,
        frozenset(row["collectors"]),
        confirmation_expired=row["old"],
    )
