"""Has a database server test a sample of values, to find columns that hold personal data.

No value leaves the server: it counts how many of its first hundred have the shape of an e-mail address, a
phone number, …, and only these counts travel.
"""

import time
from collections.abc import Sequence
from itertools import batched

from sqlalchemy import Connection, case, column, func, select, table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.expression import ColumnElement

from discovery_collectors.collectors.database.personal_data import classify
from discovery_collectors.collectors.database.service_report import Table

MAX_SAMPLES = 300
"""Statements for one database, mostly one a table."""
MAX_SECONDS = 20
SAMPLE_ROWS = 100
SAMPLE_COLUMNS = 40
"""Columns of one statement."""
_VALUE_CHARACTERS = 200
"""No shape is longer; this much of a value shows whether it has one."""
_LEAST_VALUES = 3
_SHARE = 0.6
"""The least share of the sampled values that have the shape."""

_SHAPES = {
    "email": r"^[^@ ]+@[^@ ]+[.][A-Za-z]{2,}$",
    "phone": r"^([+][0-9]|0[0-9]+[ /.-]|[(][+0])[0-9 ()/.-]{5,20}$",
    "bank_account": r"^[A-Z]{2}[0-9]{2} ?([A-Z0-9]{4} ?){2,7}[A-Z0-9]{1,4}$",
    "payment_card": r"^[3-6][0-9]{3}[ -]?[0-9]{4,6}[ -]?[0-9]{4,5}([ -]?[0-9]{2,4})?$",
}
"""Class → shape, in what PostgreSQL's, MariaDB's and MySQL's regular expressions have in common."""


def find_personal_data(connection: Connection, tables: Sequence[Table]) -> bool:
    """Fill in `personal` of each table; return whether all of their readable texts were sampled.

    `connection` is in autocommit, so that a statement that fails leaves the next one alone.
    """
    end = time.monotonic() + MAX_SECONDS
    samples = 0
    complete = True
    for each in tables:
        by_sample: dict[str, str] = {}
        for texts in batched(each.texts, SAMPLE_COLUMNS, strict=False):
            if samples == MAX_SAMPLES or time.monotonic() > end:
                complete = False
                break
            samples += 1
            try:
                by_sample |= sample(connection, each, texts)
            except SQLAlchemyError:
                complete = False
        each.personal = classify(each.columns or [], by_sample)
    return complete


def sample(connection: Connection, of: Table, asked: Sequence[str]) -> dict[str, str]:
    """Have the server test the first rows; return column → class where values have a clear shape.

    `asked` are some of its columns. Raises SQLAlchemy's errors, a timeout among them.
    """
    texts = [
        func.left(column(each), _VALUE_CHARACTERS).label(f"c{number}") for number, each in enumerate(asked)
    ]
    # Columns are named in a query of their own, so that no name of theirs meets one of ours.
    rows = (
        select(*texts).select_from(table(of.name, schema=of.schema)).limit(SAMPLE_ROWS).subquery("rows_seen")
    )
    counts: list[ColumnElement[int]] = []
    for number in range(len(asked)):
        value = rows.c[f"c{number}"]
        counts.append(func.count(case((value != "", 1))))
        counts += [func.count(case((value.regexp_match(shape), 1))) for shape in _SHAPES.values()]
    counted = list(connection.execute(select(*counts)).one())
    width = 1 + len(_SHAPES)
    found = {}
    for number, each in enumerate(asked):
        filled, *matching = (int(count) for count in counted[number * width : (number + 1) * width])
        best = max(matching)
        if filled >= _LEAST_VALUES and best >= _SHARE * filled:
            found[each] = list(_SHAPES)[matching.index(best)]
    return found
