"""The database engines: how their services are known, and where the code is that enters them."""

import importlib
from dataclasses import dataclass

from discovery_collectors.collectors.database.login import Engine


@dataclass(frozen=True, slots=True)
class EngineRow:
    """One engine; its code is imported when it is first needed."""

    port: int
    names: frozenset[str]
    """The protocol, as nmap calls it."""
    path: str
    """`module:class` in this folder."""
    credentials: frozenset[str]
    """Engine names under which a credential store may keep its credentials."""
    in_clear: bool = False
    """Its servers receive the password itself; equals the class's `in_clear`."""


ENGINES: dict[str, EngineRow] = {
    "postgresql": EngineRow(
        5432,
        frozenset({"postgresql", "postgres"}),
        "postgresql:PostgresqlEngine",
        frozenset({"postgresql"}),
    ),
    "mysql": EngineRow(
        3306, frozenset({"mysql", "mariadb"}), "mysql:MysqlEngine", frozenset({"mysql", "mariadb"})
    ),
    "mongodb": EngineRow(
        27017, frozenset({"mongodb", "mongod"}), "mongodb:MongodbEngine", frozenset({"mongodb"})
    ),
    "redis": EngineRow(
        6379, frozenset({"redis", "valkey"}), "redis_engine:RedisEngine", frozenset({"redis"}), in_clear=True
    ),
}
"""A new engine is a new row and a module."""


def import_engine(name: str) -> type[Engine]:
    """Return the class of an engine. Raises ModuleNotFoundError without its library."""
    module, _, attribute = ENGINES[name].path.partition(":")
    engine: type[Engine] = getattr(importlib.import_module(f".{module}", __package__), attribute)
    return engine


def load_engine(name: str) -> Engine:
    """Create an engine."""
    return import_engine(name)()
