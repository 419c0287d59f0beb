"""Rows that another version stored: a list leaves them out and says so in the log, and one alone says so."""

import logging
from collections.abc import Callable, Iterable

from pydantic import ValidationError
from sqlalchemy import RowMapping

from dryrun_contract.faults import first_fault

logger = logging.getLogger(__name__)


class UnreadableError(Exception):
    """Another version stored what was requested; the text says what, and what of it cannot be read."""


def readable[V](
    rows: Iterable[RowMapping], read: Callable[[RowMapping], V], what: str, *, key: str = "id"
) -> list[V]:
    """Return what `read` makes of each row; one of another version is left out, and logged by its `key`.

    One row must not hide all others.
    """
    found = []
    for row in rows:
        try:
            found.append(read(row))
        except ValidationError:
            logger.warning("%s of another version is left out", what, extra={"row": str(row[key])})
    return found


def read_one[V](row: RowMapping, read: Callable[[RowMapping], V], what: str) -> V:
    """Return what `read` makes of a row. Raises UnreadableError."""
    try:
        return read(row)
    except ValidationError as error:
        why = first_fault(error)
        raise UnreadableError(f"another version stored {what}, which this one cannot read: {why}") from error
