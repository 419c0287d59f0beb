"""Writes moments in the reader's time zone, which it always names: servers may state theirs in another."""

from datetime import datetime


def when(at: datetime) -> str:
    """Return date and time to the second, `2026-01-31 09:30:07 UTC`."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def clock_time(at: datetime) -> str:
    """Return the time of day, `09:30:07 UTC`."""
    return at.astimezone().strftime("%H:%M:%S %Z")


def dated(heading: str) -> str:
    """Return a column's heading with the zone of its times: `STARTED (UTC)`."""
    return f"{heading} ({datetime.now().astimezone().tzname()})"


def minute(at: datetime) -> str:
    """Return date and time to the minute, for a column whose heading is `dated`.

    Where clocks change, one from the other half of the year has a zone of its own, and names it.
    """
    local = at.astimezone()
    own = local.tzname()
    zone = "" if own == datetime.now().astimezone().tzname() else f" {own}"
    return f"{local:%Y-%m-%d %H:%M}{zone}"
