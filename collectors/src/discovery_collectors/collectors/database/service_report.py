"""What the collector `database` reports of a service: names, types and counts, never a stored value."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from discovery_collectors.collector import Emit
from discovery_collectors.collectors.database.personal_data import PersonalData
from discovery_collectors.running.bounds import cut
from discovery_collectors.running.scope import ScopedAddress
from dryrun_contract.resource_key import ResourceKey

MAX_DATABASES = 200
MAX_TABLES = 10_000
"""Reported tables of one database."""
MAX_COLUMNS = 1_000
"""Reported columns of one table."""
MAX_FOREIGN_KEYS = 100
"""Reported foreign keys of one table."""
_NAME_CHARACTERS = 200
_TEXT_CHARACTERS = 300
_DATA_BYTES = 60_000
"""Leaves room in a line of 64 KiB for everything beside the data."""
SURE = 1.0
LIKELY = 0.95
"""Above all of nmap's: a service that requests a login in an engine's own way."""


@dataclass(frozen=True, slots=True)
class DatabaseService:
    """A service that seems to be a database server."""

    address: ScopedAddress
    port: int
    engine: str
    """A row of `engines.ENGINES`."""
    certain: bool
    """Its answers showed what it is; otherwise only its port suggests it."""
    relay: tuple[str, int] | None = None
    """Address and port of what leads to it at the run's packet rate."""

    @property
    def reached_at(self) -> tuple[str, int]:
        """Return the address and port to connect to."""
        return self.relay or (self.address, self.port)

    @property
    def key(self) -> ResourceKey:
        """Return the service's natural key."""
        return ResourceKey(self.address, self.port, "tcp")


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns that name rows of another table."""

    columns: tuple[str, ...]
    table: tuple[str, ...]
    """The other table's names, from its database or schema on."""
    referenced: tuple[str, ...]


@dataclass(slots=True)
class Table:
    """A table, view or collection as its catalog describes it."""

    schema: str
    """Its database, where the engine knows no schemas."""
    name: str
    columns: list[str] | None
    """None: they could not be read."""
    types: dict[str, str] = field(default_factory=dict)
    rows: int | None = None
    """The server's own estimate; None or below 0: unknown (PostgreSQL says -1)."""
    view: bool = False
    bytes: int | None = None
    """With its indexes."""
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    """Columns of text that the login may read."""
    personal: dict[str, PersonalData] = field(default_factory=dict)
    more_columns: bool = False
    """It has others, nobody knows how many."""


class ServiceReport:
    """Reports one service and what it holds. Bounded, whatever the server sends."""

    def __init__(self, service: DatabaseService, emit: Emit) -> None:
        self._service = service
        self._emit = emit
        self._engine = service.engine
        self.entered = False
        """Whether a login succeeded."""

    def granted(
        self,
        product: str,
        version: str,
        evidence: Mapping[str, str] | None = None,
        *,
        engine: str | None = None,
    ) -> None:
        """Report that the login succeeded, and what the service is; `engine`: if it is not what it seemed."""
        self._engine = engine or self._engine
        self.entered = True
        self._tell({"product": product, "version": version, "access": "granted", **(evidence or {})}, SURE)

    def closed(self, access: str, reason: str, product: str = "") -> None:
        """Report that the login failed, and why; `access` as in docs/collectors/database.md."""
        self._tell({"product": product, "access": access, "reason": reason}, LIKELY if product else 0.5)

    def database(self, name: str, facts: Mapping[str, JsonValue] | None = None) -> None:
        """Report a database by its name."""
        data: dict[str, JsonValue] = {"engine": self._engine, **(facts or {})}
        self._emit.discovery("database", self._key(name), data)

    def table(self, path: Sequence[str], table: Table) -> None:
        """Report a table, view or collection; `path` begins with its database."""
        rows = table.rows
        data: dict[str, JsonValue] = {
            "rows": "unknown" if rows is None or rows < 0 else rows,
            "view": table.view,
        }
        if table.bytes is not None:
            data["bytes"] = table.bytes
        if table.columns is not None:
            data |= _fitting([_clean(name, _NAME_CHARACTERS) for name in table.columns], _details(table))
        if table.more_columns:
            data["more"] = True
        self._emit.discovery("table", self._key(*path), data)

    def warning(self, message: str) -> None:
        """Report something in this service that could not be inspected."""
        self._emit.warning(f"{self._service.key}: {message}")

    def _tell(self, data: Mapping[str, str], confidence: float) -> None:
        facts: dict[str, JsonValue] = {"engine": self._engine}
        facts |= {name: _clean(text, _TEXT_CHARACTERS) for name, text in data.items() if text}
        self._emit.discovery("service", str(self._service.key), facts, confidence)

    def _key(self, *path: str) -> str:
        for name in path:
            if len(name) > _NAME_CHARACTERS:
                shown = _clean(name, 40)
                self.warning(f"{shown}… is reported by the first {_NAME_CHARACTERS} characters of its name")
        names = tuple(_clean(name, _NAME_CHARACTERS) for name in path)
        return str(ResourceKey(self._service.address, self._service.port, "tcp", names))


def _details(table: Table) -> dict[str, JsonValue]:
    """Return what is reported of columns beside their names, the least important first."""
    types = {_clean(name, _NAME_CHARACTERS): _clean(kind, 60) for name, kind in table.types.items()}
    keys: list[JsonValue] = [
        {
            "columns": _names(key.columns),
            "references": _names(key.table),
            "referenced_columns": _names(key.referenced),
        }
        for key in table.foreign_keys
    ]
    personal: dict[str, JsonValue] = {
        _clean(name, _NAME_CHARACTERS): {"class": found.kind, "by": found.by}
        for name, found in table.personal.items()
    }
    facts: dict[str, JsonValue] = {"column_types": dict(types)}
    facts |= cut("foreign_keys", keys, MAX_FOREIGN_KEYS) | {"personal": personal}
    return {name: value for name, value in facts.items() if value}


def _names(names: Sequence[str]) -> list[JsonValue]:
    return [_clean(name, _NAME_CHARACTERS) for name in names]


def _fitting(names: list[str], details: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return columns with their details. What does not fit a line is left out, and said to be.

    `left_out` names details; of columns there are fewer, and `columns_total` is how many there are.
    """
    most = MAX_COLUMNS
    left_out: list[JsonValue] = []
    while len(json.dumps([names[:most], details])) > _DATA_BYTES:
        if details:
            name = next(iter(details))
            del details[name]
            left_out.append(name)
        else:
            most = min(most, len(names)) // 2
    data = cut("columns", names, most) | details
    return data | {"left_out": left_out} if left_out else data


def _clean(text: str, limit: int) -> str:
    # A lone surrogate cannot be written as UTF-8, and so in no JSON that others read.
    return text[:limit].encode("utf-8", "replace").decode("utf-8")
