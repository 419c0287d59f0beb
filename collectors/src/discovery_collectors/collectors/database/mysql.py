"""Inspects MariaDB and MySQL: databases, tables and views with their columns, keys, sizes and estimates."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from asyncmy.errors import MySQLError
from sqlalchemy import NullPool, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from discovery_collectors.collectors.database.login import LoginRefusedError, ServiceUnreachableError, Session
from discovery_collectors.collectors.database.mysql_catalog import read_databases, read_tables
from discovery_collectors.collectors.database.mysql_connection import (
    PasswordRequestedError,
    TooMuchError,
    connect,
)
from discovery_collectors.collectors.database.personal_sample import find_personal_data
from discovery_collectors.collectors.database.service_report import (
    MAX_DATABASES,
    DatabaseService,
    ServiceReport,
)
from discovery_collectors.running.bounds import first
from dryrun_contract.collector_config import Credential

_REFUSED = frozenset({1044, 1045, 1130, 1227, 1251, 1275, 1698, 3118, 3878, 4151})
"""Codes of refused logins: ER_ACCESS_DENIED, ER_HOST_NOT_PRIVILEGED, locked accounts, unix_socket only, …"""
_SETTINGS = (
    "SET SESSION TRANSACTION READ ONLY",
    "SET SESSION lock_wait_timeout = 2",
)
_STATEMENT_LIMITS = {
    "mariadb": "SET SESSION max_statement_time = 10",
    "mysql": "SET SESSION max_execution_time = 10000",
}


_OF_CLIENTS = range(2000, 3000)
"""Codes of errors that the driver raises, not the server: after them the connection cannot be used."""


class _StatementFailedError(ServiceUnreachableError):
    """The server ended or refused one statement; its connection goes on."""


class MysqlEngine:
    """MariaDB and MySQL. They admit nobody without a user name."""

    product: ClassVar[str] = ""
    """A refusal does not distinguish the two; nmap does, by the greeting."""
    anonymous: ClassVar[bool] = False
    in_clear: ClassVar[bool] = False

    async def open(self, service: DatabaseService, credential: Credential | None) -> Session:
        """Log in without a database, for this session's only connection."""
        if credential is None or not credential.username:
            raise LoginRefusedError("MySQL needs a credential with a user name")

        async def creator(**_: object) -> object:
            return await connect(service, credential)

        engine = create_async_engine(
            "mysql+asyncmy://",
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"async_creator_fn": creator},
        )
        with _translated():
            connection = await engine.connect()
        return _MysqlSession(engine, connection)


class _MysqlSession:
    def __init__(self, engine: AsyncEngine, connection: AsyncConnection) -> None:
        self._engine = engine
        self._connection = connection

    async def describe(self, report: ServiceReport) -> None:
        connection = self._connection
        with _translated():
            version = str((await connection.execute(text("SELECT VERSION()"))).scalar_one())
            product, engine = (
                ("MariaDB", "mariadb") if "mariadb" in version.casefold() else ("MySQL", "mysql")
            )
            for statement in (*_SETTINGS, _STATEMENT_LIMITS[engine]):
                await connection.execute(text(statement))
            # "11.8.9-MariaDB-0+deb13u1 from Debian": what follows the blank is a remark.
            report.granted(product, version.split(" ", 1)[0], engine=engine)
            databases = await connection.run_sync(read_databases)
        names = first(databases, MAX_DATABASES, "databases", report.warning)
        for number, name in enumerate(names, start=1):
            if not await self._describe_database(name, report):
                # Their names are known all the same.
                for other in names[number:]:
                    report.database(other)
                if names[number:]:
                    report.warning(f"{len(names) - number} databases after {name} are not inspected")
                break

    async def _describe_database(self, name: str, report: ServiceReport) -> bool:
        """Report a database; return whether the connection can be used for others."""
        try:
            with _translated():
                tables, left_out = await self._connection.run_sync(read_tables, name)
                sampled = await self._connection.run_sync(find_personal_data, tables)
        except LoginRefusedError as error:
            report.database(name, {"access": "refused"})
            report.warning(f"database {name}: {error}")
            return True
        except ServiceUnreachableError as error:
            report.database(name)
            report.warning(f"database {name}: {error}")
            return isinstance(error, _StatementFailedError)
        report.database(name, {"bytes": sum(table.bytes or 0 for table in tables)})
        for table in tables:
            report.table((name, table.name), table)
        for each in left_out:
            report.warning(f"database {name}: {each}")
        if not sampled:
            report.warning(f"database {name}: not every table was sampled for personal data")
        return True

    async def close(self) -> None:
        try:
            await self._connection.close()
        finally:
            await self._engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's errors into those of `log_in`."""
    try:
        yield
    except TimeoutError:
        raise ServiceUnreachableError("it took too long and was abandoned") from None
    except DBAPIError as error:
        raise _meaning(error.orig) from error
    except MySQLError as error:
        raise _meaning(error) from error
    except (SQLAlchemyError, OSError, ValueError) as error:
        raise ServiceUnreachableError(f"no answer as MySQL gives one: {_said(error)}") from error


def _meaning(error: BaseException | None) -> Exception:
    if isinstance(error, (PasswordRequestedError, TooMuchError)):
        return ServiceUnreachableError(_said(error))
    code = error.args[0] if error is not None and error.args else None
    if code in _REFUSED:
        return LoginRefusedError(_said(error))
    message = f"no answer as MySQL gives one: {_said(error)}"
    if isinstance(code, int) and code >= 1000 and code not in _OF_CLIENTS:
        return _StatementFailedError(message)
    return ServiceUnreachableError(message)


def _said(error: BaseException | None) -> str:
    words = error.args[1] if error is not None and len(error.args) > 1 else error
    return " ".join(str(words).split())[:300]
