"""Keeps values out of database errors: a statement's parameters and rows hold hashes and secrets.

SQLAlchemy prints parameters, PostgreSQL quotes rows in its details ("Failing row contains …"), and asyncpg
quotes what it cannot encode. So an error is stripped where it is raised, before anything can log it.
"""

from typing import Any

from asyncpg import InterfaceError, InternalClientError, PostgresError
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

DRIVER_ERRORS = (PostgresError, InterfaceError, InternalClientError)
"""The driver's own. SQLAlchemy translates those of statements, but not of every step around them: a
connection that closes at the wrong moment raises `InterfaceError: connection is closed` (asyncpg 0.32)."""
DATABASE_ERRORS = (SQLAlchemyError, OSError, *DRIVER_ERRORS)
"""What is raised while a database is away, starts, ends or is cut off."""

_AWAY = ("08", "53300", "57P")
"""SQLSTATEs of connections that broke, of a server with none left, and of one that ends or starts."""
_DATA_EXCEPTION = "22"
"""PostgreSQL's class of errors that a value causes; their messages quote it (`invalid input syntax …`)."""
_NOT_ENCODED = "22000"
"""`data_exception`: the SQLSTATE set here for values that asyncpg itself refuses."""


def keep_values_out_of_errors(engine: AsyncEngine) -> None:
    """Make every error of `engine` name its kind, SQLSTATE, constraint and statement, but no value."""
    event.listen(engine.sync_engine, "handle_error", _strip)


def is_data_exception(error: BaseException | None) -> bool:
    """Return whether a value in the statement is at fault; `error` is `DBAPIError.orig`.

    Repeating the statement would fail again: PostgreSQL stores no U+0000, no lone surrogate and no number out
    of range.
    """
    return (getattr(error, "sqlstate", None) or "").startswith(_DATA_EXCEPTION)


def says_away(error: BaseException | None) -> bool:
    """Return whether the server says that it is away; `error` is `DBAPIError.orig`.

    SQLAlchemy has no class for these: they are plain `DBAPIError`, like a deadline that a statement missed.
    """
    return (getattr(error, "sqlstate", None) or "").startswith(_AWAY)


def _strip(context: ExceptionContext) -> None:
    wrapping = context.sqlalchemy_exception
    if wrapping is None:
        return  # a cancellation, or a fault outside the driver
    original: Any = context.original_exception
    driver = original.__cause__ or original
    quotes_a_value = isinstance(driver, ValueError | TypeError)
    if quotes_a_value and getattr(driver, "sqlstate", None) is None:
        original.sqlstate = _NOT_ENCODED
    text = type(driver).__name__ if quotes_a_value else _described(driver)
    original.args = wrapping.args = (text,)
    original.__cause__ = original.__context__ = None


def _described(driver: BaseException) -> str:
    name = type(driver).__name__
    state: str | None = getattr(driver, "sqlstate", None)
    if state is None:
        return f"{name}: {driver}"
    # The message alone: `str` of asyncpg's errors adds DETAIL and HINT.
    message = "" if state.startswith(_DATA_EXCEPTION) else f": {driver.args[0] if driver.args else ''}"
    return f"{name} (SQLSTATE {state}){message}"
