"""The wall clock. The journal and a deadline take another one, which tests set."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)
