"""One SQLAlchemy dialect for all engines of a process: a statement is compiled once, not for each test.

A service has one engine for its life and compiles each statement once. Here each test has engines of its own,
and compiling anew took a fifth of a test's processor. Connections, pools and prepared statements stay each
engine's.
"""

from typing import Any, ClassVar, Self, override

from sqlalchemy import Connection, Engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.compiler import Compiled


class SharedDialect(PGDialect_asyncpg):
    """Is the same object whenever it is made with the same options."""

    supports_statement_cache = True
    _made: ClassVar[dict[frozenset[tuple[str, Any]], Self]] = {}
    _driver: Any = None

    def __new__(cls, **options: Any) -> Self:
        return cls._made.setdefault(frozenset(options.items()), super().__new__(cls))

    def __init__(self, **options: Any) -> None:
        if not hasattr(self, "compiled"):
            super().__init__(**options)
            self.compiled: dict[Any, Compiled] = {}
            self._knows_server = False

    @override
    @classmethod
    def import_dbapi(cls) -> Any:
        if cls._driver is None:
            cls._driver = super().import_dbapi()
        return cls._driver

    @override
    def initialize(self, connection: Connection) -> None:
        """Ask for the version and the settings of the server once: all tests use the same."""
        if not self._knows_server:
            super().initialize(connection)
            self._knows_server = True

    @override
    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        assert isinstance(engine.dialect, cls)
        engine.update_execution_options(compiled_cache=engine.dialect.compiled)


def share_dialect() -> None:
    """Let every engine that this process makes from now on have it."""
    registry.register("postgresql.asyncpg", __name__, SharedDialect.__name__)
