"""Inspects PostgreSQL: databases, schemas, tables and views with their columns, and row estimates."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import psycopg
from sqlalchemy import URL, NullPool, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from discovery_collectors.collectors.database.login import LoginRefusedError, ServiceUnreachableError, Session
from discovery_collectors.collectors.database.personal_sample import find_personal_data
from discovery_collectors.collectors.database.postgresql_catalog import read_tables
from discovery_collectors.collectors.database.service_report import (
    MAX_DATABASES,
    DatabaseService,
    ServiceReport,
)
from discovery_collectors.running.bounds import first
from dryrun_contract.collector_config import Credential

_CONNECT_SECONDS = 5
_DATABASE_SECONDS = 60
"""The longest one database may take to list; each statement is ended by the server after 10 s."""
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""PostgreSQL's protocol, "SSLRequest": length 8, code 80877103. The answer is one byte, S or N."""
_SETTINGS = "-c default_transaction_read_only=on -c statement_timeout=10000 -c lock_timeout=2000"
_NO_SUCH_DATABASE = re.compile(r'database "[^"]*" does not exist|permission denied for database')
_NOT_NOW = re.compile(r"too many|starting up|shutting down|recovery mode|remaining connection slots")
_DATABASES = text(
    "SELECT datname, has_database_privilege(datname, 'CONNECT') AND datallowconn FROM pg_database"
    " WHERE NOT datistemplate ORDER BY datname LIMIT :limit"
)

_SIZE = "SELECT pg_database_size(current_database())"
"""The server looks at each of the database's files, which may take longer than a statement has."""


class PostgresqlEngine:
    """PostgreSQL. It admits nobody without a user name."""

    product: ClassVar[str] = "PostgreSQL"
    anonymous: ClassVar[bool] = False
    in_clear: ClassVar[bool] = False

    async def open(self, service: DatabaseService, credential: Credential | None) -> Session:
        """Log in to the first maintenance database that lets this user connect."""
        if credential is None or not credential.username:
            raise LoginRefusedError("PostgreSQL needs a credential with a user name")
        login = _Login(service, credential, await _speaks_tls(service))
        # A second database is tried only after the server accepted the login and refused the database.
        for database in ("postgres", "template1", credential.username):
            engine = login.engine(database)
            try:
                with _translated():
                    async with asyncio.timeout(_CONNECT_SECONDS + 10), engine.connect() as connection:
                        version = str((await connection.execute(text("SHOW server_version"))).scalar_one())
                        listed = (await connection.execute(_DATABASES, {"limit": MAX_DATABASES + 1})).all()
            except _NoSuchDatabaseError:
                continue
            finally:
                await engine.dispose()
            return _PostgresqlSession(login, version, [(str(row[0]), bool(row[1])) for row in listed])
        raise LoginRefusedError("the login is accepted, but no database that it may connect to is known")


class _Login:
    """What every connection of one session needs. Each is used once and closed."""

    def __init__(self, service: DatabaseService, credential: Credential, tls: bool) -> None:
        self._service = service
        self._credential = credential
        self._tls = tls

    def engine(self, database: str) -> AsyncEngine:
        url = URL.create(
            "postgresql+psycopg_async",
            self._credential.username,
            self._credential.password,
            *self._service.reached_at,
            database,
        )
        return create_async_engine(
            url,
            poolclass=NullPool,
            use_native_hstore=False,
            # Read-only by _SETTINGS. Each statement for itself: one that fails leaves the next alone.
            isolation_level="AUTOCOMMIT",
            connect_args={
                "connect_timeout": _CONNECT_SECONDS,
                # "prefer" would try a refused login a second time without TLS.
                "sslmode": "require" if self._tls else "disable",
                "gssencmode": "disable",
                # A server that asks for the password itself does not get it. MD5 is close to that: what
                # answers one server's challenge answers another's, and is guessed fast.
                "require_auth": "scram-sha-256,md5,none" if self._credential.at else "scram-sha-256,none",
                "options": _SETTINGS,
                # Without it a database in SQL_ASCII answers bytes.
                "client_encoding": "utf8",
                "application_name": "discovery-collect",
            },
        )


class _PostgresqlSession:
    def __init__(self, login: _Login, version: str, databases: list[tuple[str, bool]]) -> None:
        self._login = login
        self._version = version
        self._databases = databases

    async def describe(self, report: ServiceReport) -> None:
        # "17.6 (Debian 17.6-0+deb13u1)": the distribution's own number is not the server's.
        report.granted("PostgreSQL", self._version.split(" ", 1)[0])
        databases = first(self._databases, MAX_DATABASES, "databases", report.warning)
        for name, open_to_us in databases:
            # Again with its size, once that is known.
            report.database(name, {} if open_to_us else {"access": "refused"})
            if open_to_us:
                await self._describe_database(name, report)

    async def _describe_database(self, name: str, report: ServiceReport) -> None:
        engine = self._login.engine(name)
        try:
            with _translated():
                async with asyncio.timeout(_DATABASE_SECONDS), engine.connect() as connection:
                    await _describe_size(name, connection, report)
                    await _describe_tables(name, connection, report)
        except (LoginRefusedError, ServiceUnreachableError, _NoSuchDatabaseError) as error:
            report.warning(f"database {name}: {error}")
        finally:
            await engine.dispose()

    async def close(self) -> None:
        """Nothing is left open between connections."""


async def _describe_size(database: str, connection: AsyncConnection, report: ServiceReport) -> None:
    try:
        report.database(database, {"bytes": (await connection.execute(text(_SIZE))).scalar_one()})
    except OperationalError as error:
        report.warning(f"database {database}: its size is not reported: {_said(error.orig)}")


async def _describe_tables(database: str, connection: AsyncConnection, report: ServiceReport) -> None:
    tables, left_out = await connection.run_sync(read_tables)
    sampled = await connection.run_sync(find_personal_data, tables)
    for table in tables:
        report.table((database, table.schema, table.name), table)
    for each in left_out:
        report.warning(f"database {database}: {each}")
    if not sampled:
        report.warning(f"database {database}: not every table was sampled for personal data")


async def _speaks_tls(service: DatabaseService) -> bool:
    """Ask, before any name is sent, whether this is PostgreSQL and whether it offers TLS."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(*service.reached_at)
            try:
                writer.write(_SSL_REQUEST)
                answer = await reader.read(1)
            finally:
                writer.transport.abort()
    except TimeoutError:
        raise ServiceUnreachableError(f"no answer within {_CONNECT_SECONDS} s") from None
    except OSError as error:
        raise ServiceUnreachableError(f"no connection: {error.strerror or error}") from error
    if answer not in {b"S", b"N"}:
        raise ServiceUnreachableError("it does not answer as PostgreSQL does")
    return answer == b"S"


class _NoSuchDatabaseError(RuntimeError):
    """The login was accepted; this database does not exist or refuses this user."""


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's errors into those of `log_in`."""
    try:
        yield
    except TimeoutError:
        raise ServiceUnreachableError("it took too long and was abandoned") from None
    except DBAPIError as error:
        raise _meaning(error.orig) from error
    except (SQLAlchemyError, OSError, ValueError) as error:
        raise ServiceUnreachableError(f"no answer as PostgreSQL gives one: {_said(error)}") from error


def _meaning(error: object) -> Exception:
    """Distinguish a refused login from other failures: connecting, libpq gives text and no error code."""
    message = _said(error)
    if _NO_SUCH_DATABASE.search(message):
        return _NoSuchDatabaseError(message)
    connection = error.pgconn if isinstance(error, psycopg.Error) else None
    asked = connection is not None and (connection.used_password or connection.needs_password)
    refused = asked or "pg_hba" in message or "require_auth" in message or "authentication" in message
    if refused and not _NOT_NOW.search(message):
        return LoginRefusedError(message)
    return ServiceUnreachableError(message)


def _said(error: object) -> str:
    """Return the server's message without libpq's introduction."""
    return " ".join(str(error).split()).rpartition("FATAL: ")[2].strip()[:300]
