"""What a perfect collector would report of a plan, as lines of YAML."""

import json
import re
from collections.abc import Iterator, Mapping

from estate import Database, Estate

BEGIN = "  # Written by ../large-databases/write.py from here"
END = "  # to here."
_ESCAPED = re.compile(r"[/%\x00-\x1f\x7f]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CLOSED = "the credential may not connect to this database"


def facts(estate: Estate, place: str, engine: str, *, extra_column: str = "") -> Iterator[str]:
    """Yield a line per database and table; `place` is the service's key, `extra_column` is in every table."""
    for database in estate.databases:
        yield _line("database", _key(place, database.name), {"engine": engine}, hard="")
        for schema, table in database.tables():
            names = [database.name, schema.name, table.name] if schema.name else [database.name, table.name]
            columns = [name for name in (extra_column, *table.columns) if name]
            # A ground truth holds no control characters; columns that do are not scored.
            data = {} if any(map(_CONTROL.search, columns)) else {"columns": columns}
            yield _line("table", _key(place, *names), data, hard=_why_hard(database))


def _why_hard(database: Database) -> str:
    return _CLOSED if database.closed else ""


def _key(place: str, *names: str) -> str:
    return "/".join([place, *(_ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", name) for name in names)])


def _line(kind: str, key: str, data: Mapping[str, object], *, hard: str) -> str:
    fact = {"kind": kind, "key": key} | ({"data": data} if data else {}) | ({"hard": hard} if hard else {})
    # JSON is YAML, and quotes whatever YAML would read as something else. What cannot be seen is spelled out.
    text = json.dumps(fact, ensure_ascii=False)
    return f"  - {text if text.isprintable() else json.dumps(fact)}"


def replaced(image_yml: str, lines: Iterator[str]) -> str:
    """Return the manifest with `lines` between its two marks. Raises ValueError where they are missing."""
    before, begin, rest = image_yml.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(f"{END}\n")
    if not begin or not end:
        raise ValueError(f"the manifest has no lines {BEGIN!r} and {END!r}")
    return "".join([before, begin, *(f"{line}\n" for line in lines), end, after])
