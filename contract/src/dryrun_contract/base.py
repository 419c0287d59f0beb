"""The base of every model that crosses a service boundary: closed, frozen, exact."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

_FIRST_YEAR, _LAST_YEAR = 2, 9998


class Word(BaseModel):
    """A value of the contract. Unknown fields are refused and instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs a zone, e.g. 2026-01-31T09:30:00Z (RFC 3339)")
    # The first moment of year 1 is what programs write that know no time, and for databases it is infinite.
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"a time lies within the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return value.astimezone(UTC)


type UtcTime = Annotated[datetime, AfterValidator(_in_utc)]
"""A point in time with its zone, kept in UTC (RFC 3339 in JSON)."""
