"""The base of every model that crosses a service boundary: closed, frozen, exact."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


class Word(BaseModel):
    """A value of the contract. Unknown fields are refused and instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs a zone, e.g. 2026-01-31T09:30:00Z (RFC 3339)")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time lies within the years 1 to 9999 in UTC too") from None


type UtcTime = Annotated[datetime, AfterValidator(_in_utc)]
"""A point in time with its zone, kept in UTC (RFC 3339 in JSON)."""
