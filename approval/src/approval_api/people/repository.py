"""Rows of `people`. Every function works inside the caller's transaction."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, Select, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.tables import logins
from approval_api.database.tables import people as table
from approval_api.identity.roles import Role
from approval_api.people.schemas import PersonView

_COLUMNS = [column for column in table.c if column.name != "password_hash"]

_LOCK_ADMINS = text("SELECT pg_advisory_xact_lock(1633970281)")  # "admi"


@dataclass(frozen=True, slots=True)
class Account:
    """A person with the password hash that authenticates them."""

    id: UUID
    name: str
    display_name: str
    roles: frozenset[Role]
    active: bool
    password_hash: str | None
    issuer: str | None

    @classmethod
    def of(cls, row: RowMapping) -> "Account":
        """Read a row of `people`."""
        return cls(
            id=row["id"],
            name=row["name"],
            display_name=row["display_name"],
            roles=frozenset(map(Role, row["roles"])),
            active=row["active"],
            password_hash=row["password_hash"],
            issuer=row["issuer"],
        )


def _views() -> Select[Any]:
    seen = select(func.max(logins.c.seen_at)).where(logins.c.person_id == table.c.id).scalar_subquery()
    return select(
        *_COLUMNS, table.c.password_hash.is_not(None).label("has_password"), seen.label("last_seen_at")
    )


def _view(row: RowMapping) -> PersonView:
    return PersonView(
        id=row["id"],
        name=row["name"],
        display_name=row["display_name"],
        roles=tuple(sorted(map(Role, row["roles"]))),
        active=row["active"],
        has_password=row["has_password"],
        issuer=row["issuer"],
        confirmed_at=row["confirmed_at"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        last_seen_at=row["last_seen_at"],
    )


async def list_all(connection: AsyncConnection) -> list[PersonView]:
    """Return everybody, by name."""
    result = await connection.execute(_views().order_by(table.c.name))
    return [_view(row) for row in result.mappings()]


async def find(connection: AsyncConnection, person_id: UUID) -> PersonView | None:
    """Return the person, or None."""
    row = (await connection.execute(_views().where(table.c.id == person_id))).mappings().one_or_none()
    return _view(row) if row is not None else None


async def find_account(connection: AsyncConnection, name: str) -> Account | None:
    """Return the account of this name, or None."""
    row = (await connection.execute(select(table).where(table.c.name == name))).mappings().one_or_none()
    return Account.of(row) if row is not None else None


async def still_proves(connection: AsyncConnection, account: Account, *, to_change: bool = False) -> bool:
    """Return whether a person is active and still has the password of `account`; holds that until the end.

    Verifying a password takes a tenth of a second or longer, and the password may be changed meanwhile,
    because somebody else knows it. `to_change`: this transaction replaces it, and others who would do so wait
    here (two that held it together would deadlock).
    """
    same = table.c.password_hash.is_not_distinct_from(account.password_hash)
    found = select(table.c.id).where(table.c.id == account.id, table.c.active, same)
    locked = found.with_for_update(key_share=True) if to_change else found.with_for_update(read=True)
    return await connection.scalar(locked) is not None


async def roles_in_force(
    connection: AsyncConnection, name: str, confirmation_lasts: timedelta
) -> frozenset[Role]:
    """Return the roles that this name gives now.

    None for somebody who is unknown, not active, or whom their provider confirmed longer ago than
    `confirmation_lasts`.
    """
    confirmed = or_(table.c.issuer.is_(None), table.c.confirmed_at >= func.now() - confirmation_lasts)
    found = await connection.scalar(
        select(table.c.roles).where(table.c.name == name, table.c.active, confirmed)
    )
    return frozenset(map(Role, found or ()))


async def held_roles(connection: AsyncConnection, person_id: UUID) -> frozenset[Role]:
    """Return the roles of an active person, none of another one; whoever changes them waits until the end."""
    held = select(table.c.roles).where(table.c.id == person_id, table.c.active).with_for_update(read=True)
    return frozenset(map(Role, await connection.scalar(held) or ()))


async def find_subject(connection: AsyncConnection, issuer: str, subject: str) -> Account | None:
    """Return the account of an OpenID Connect provider's `subject`, or None."""
    found = select(table).where(table.c.issuer == issuer, table.c.subject == subject)
    row = (await connection.execute(found)).mappings().one_or_none()
    return Account.of(row) if row is not None else None


async def add(
    connection: AsyncConnection,
    *,
    name: str,
    display_name: str,
    roles: Collection[Role],
    created_by: str,
    issuer: str | None = None,
    subject: str | None = None,
) -> UUID:
    """Store a new person without a password. Raises IntegrityError when the name is taken."""
    person_id = uuid4()
    await connection.execute(
        insert(table).values(
            id=person_id,
            name=name,
            display_name=display_name,
            roles=sorted(roles),
            active=True,
            created_at=func.now(),
            created_by=created_by,
            issuer=issuer,
            subject=subject,
            confirmed_at=func.now() if issuer is not None else None,
        )
    )
    return person_id


async def change(connection: AsyncConnection, person_id: UUID, values: dict[str, Any]) -> None:
    """Set columns of a person."""
    await connection.execute(update(table).where(table.c.id == person_id).values(**values))


async def confirm(
    connection: AsyncConnection, person_id: UUID, display_name: str, roles: Collection[Role]
) -> None:
    """Store what the provider states about a person, and that it confirmed them now."""
    values = {"display_name": display_name, "roles": sorted(roles), "confirmed_at": func.now()}
    await change(connection, person_id, values)


async def set_password(connection: AsyncConnection, person_id: UUID, password_hash: str) -> None:
    """Store a password's hash."""
    await change(connection, person_id, {"password_hash": password_hash})


async def count_admins(connection: AsyncConnection) -> int:
    """Return the number of active administrators; others who would change it wait until the end."""
    await connection.execute(_LOCK_ADMINS)
    counted = select(func.count()).where(table.c.active, table.c.roles.contains([Role.ADMIN.value]))
    return await connection.scalar(counted) or 0
