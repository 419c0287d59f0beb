"""What whoever requested something earlier may do now, for work that goes on without a request."""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.identity.person import PROGRAM_PREFIX
from approval_api.identity.program_token import ProgramToken
from approval_api.identity.roles import Permission, permissions_of
from approval_api.people.repository import roles_in_force


class Standing:
    """What names may do now, by today's accounts and settings."""

    def __init__(
        self, engine: AsyncEngine, programs: Iterable[ProgramToken], confirmation_lasts: timedelta
    ) -> None:
        """A provider's confirmation of a person is valid for `confirmation_lasts`."""
        self._engine = engine
        self._confirmation_lasts = confirmation_lasts
        self._programs = {PROGRAM_PREFIX + each.name: permissions_of(each.roles) for each in programs}

    async def may_run(self, name: str) -> bool:
        """Return whether `name` may start sessions."""
        async with self._engine.connect() as connection:
            return await self._may(connection, name, Permission.RUN)

    async def may_decide(self, connection: AsyncConnection, name: str) -> bool:
        """Return whether `name` may approve discoveries."""
        return await self._may(connection, name, Permission.DECIDE)

    async def _may(self, connection: AsyncConnection, name: str, permission: Permission) -> bool:
        if name.startswith(PROGRAM_PREFIX):
            return permission in self._programs.get(name, ())
        roles = await roles_in_force(connection, name, self._confirmation_lasts)
        return permission in permissions_of(roles)
