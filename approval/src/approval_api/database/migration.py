"""Brings the database to this version's schema, one process at a time."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.database import migrations
from approval_api.database.errors import DRIVER_ERRORS
from dryrun_serving.lifespan import StartRefusedError

logger = logging.getLogger(__name__)

_LOCK = 0x6761_7465  # "gate": any number that no other program of this database locks
_WAIT_SECONDS = 30.0
_NOT_ALLOWED = "42501"
_OF_THE_OPERATOR = ("28", "3D", "P0001")
"""SQLSTATEs: a login is refused, a database does not exist, a migration asks for something."""

# Not to_regclass(): its catalogue cache may still say "missing" right after the wait for the lock.
_HAS_VERSION_TABLE = text("""
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'gateway' AND relname = 'alembic_version')
""")


class DatabaseUnreachableError(StartRefusedError):
    """The database did not answer within the time a start waits for it."""


async def _stored_revision(connection: AsyncConnection) -> str | None:
    exists = await connection.scalar(_HAS_VERSION_TABLE)
    if not exists:
        return None
    revision: str | None = await connection.scalar(text("SELECT version_num FROM gateway.alembic_version"))
    return revision


class DatabaseRefusedError(StartRefusedError):
    """The database answers, and an operator has to change a setting or the database."""


class MigrationRefusedError(StartRefusedError):
    """The database is older than this program, and this role may not change its schema."""


class NewerSchemaError(StartRefusedError):
    """The database's schema is that of a newer version of this program."""


def _is_current(stored: str | None) -> bool:
    """Return whether a stored revision is the newest. Raises NewerSchemaError for an unknown one."""
    known = {path.name[1:5] for path in (Path(migrations.__file__).parent / "versions").glob("v[0-9]*.py")}
    if stored is not None and stored not in known:
        raise NewerSchemaError(
            f"the database's schema is at revision {stored} and this version knows none after "
            f"{migrations.HEAD}; install the version that migrated it, or restore a backup that was made "
            "before that"
        )
    return stored == migrations.HEAD


def _upgrade(connection: Connection) -> None:
    # Importing Alembic takes 0.3 s, and most starts have nothing to migrate.
    from alembic import command  # noqa: PLC0415  # see above
    from alembic.config import Config  # noqa: PLC0415  # see above

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(engine: AsyncEngine, begun: Callable[[], None] = lambda: None) -> bool:
    """Apply missing revisions in one transaction; return whether there were any.

    `begun` is called once the database has answered that there are some.

    Several processes may do this at once: an advisory lock lets one work, and the others find it done.
    Raises NewerSchemaError for a database that is newer than this program, which is left alone, and
    MigrationRefusedError when this role may not migrate.
    """
    async with engine.connect() as connection:
        if _is_current(await _stored_revision(connection)):
            return False
    async with engine.begin() as connection:
        begun()
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if _is_current(await _stored_revision(connection)):
            return False
        try:
            await connection.execute(text("CREATE SCHEMA IF NOT EXISTS gateway"))
            await connection.run_sync(_upgrade)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _NOT_ALLOWED:
                raise
            raise MigrationRefusedError(
                f"the database has to be migrated, and this role may not: {error.orig}. Run `approval-api "
                "migrate` with APPROVAL_MIGRATION_DATABASE_URL of the schema's owner, or set it for `serve`"
            ) from error
    logger.info("migrated the database", extra={"revision": migrations.HEAD})
    return True


async def migrate_when_reachable(engine: AsyncEngine, wait_seconds: float = _WAIT_SECONDS) -> bool:
    """Like `migrate`, but wait for a database that is still starting.

    The migration itself, by this process or by another one that is waited for, takes as long as it takes.
    Raises DatabaseUnreachableError after `wait_seconds`, and DatabaseRefusedError at once for a wrong
    password, a database that does not exist, or a role that an administrator has to create.
    """
    deadline = asyncio.get_running_loop().time() + wait_seconds
    try:
        async with asyncio.timeout_at(deadline) as waiting:
            while True:
                try:
                    return await migrate(engine, begun=lambda: waiting.reschedule(None))
                except (OSError, DBAPIError, *DRIVER_ERRORS) as error:
                    if isinstance(error, DBAPIError) and not _may_heal(error):
                        if not (getattr(error.orig, "sqlstate", None) or "").startswith(_OF_THE_OPERATOR):
                            raise
                        raise DatabaseRefusedError(
                            f"the database refuses: {error.orig}; the server, its roles and the settings "
                            "APPROVAL_DATABASE_URL and APPROVAL_MIGRATION_DATABASE_URL have to fit each other"
                        ) from error
                    last = error
                if not waiting.expired():
                    waiting.reschedule(deadline)
                logger.warning("waiting for the database", extra={"reason": str(last) or type(last).__name__})
                await asyncio.sleep(0.5)
    except TimeoutError as error:
        raise DatabaseUnreachableError(
            f"the database did not answer within {wait_seconds:g} s; "
            "check APPROVAL_DATABASE_URL and the server"
        ) from error


def _may_heal(error: DBAPIError) -> bool:
    """Return whether the server is away or still starting (SQLSTATE classes 08, 53, 57)."""
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or state[:2] in {"08", "53", "57"}
