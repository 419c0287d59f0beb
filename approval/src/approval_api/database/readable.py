"""Lists leave out what this version cannot read, and say so in the log: one row must not hide all others."""

import logging
from collections.abc import Callable, Iterable

from pydantic import ValidationError
from sqlalchemy import RowMapping

logger = logging.getLogger(__name__)


def readable[V](rows: Iterable[RowMapping], read: Callable[[RowMapping], V], what: str) -> list[V]:
    """Return what `read` makes of each row that has an id; one of another version is logged and left out."""
    found = []
    for row in rows:
        try:
            found.append(read(row))
        except ValidationError:
            logger.warning("%s of another version is not listed", what, extra={"row": str(row["id"])})
    return found
