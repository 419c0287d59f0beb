"""When a schedule is due: cron expressions in a time zone's wall clock. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

LEAST = timedelta(minutes=5)
"""Between two firings."""
_CALENDARS = timedelta(days=28 * 366)
"""After 28 years the days of the week fall on the same dates again."""


class ScheduleError(ValueError):
    """The expression or the time zone cannot be a schedule's; the text says why."""


def check(cron: str, timezone: str, now: datetime) -> None:
    """Raise ScheduleError for what never fires, fires too often, or is no expression."""
    if next(_times(cron, timezone, now), None) is None:
        raise ScheduleError(f"{cron!r} never comes: there is no such day")
    if _comes_too_often(CronSim(cron, now.astimezone(UTC)), now):
        minutes = LEAST // timedelta(minutes=1)
        raise ScheduleError(f"{cron!r} comes more often than every {minutes} minutes")


def _comes_too_often(cron: CronSim, now: datetime) -> bool:
    """Return whether two times of a day, or of one and the next, lie closer together than `LEAST`."""
    times = sorted(timedelta(hours=hour, minutes=minute) for hour in cron.hours for minute in cron.minutes)
    if any(second - first < LEAST for first, second in pairwise(times)):
        return True
    if times[0] + timedelta(days=1) - times[-1] >= LEAST:
        return False
    midnights = CronSim(" ".join(["0", "0", *cron.parts[-3:]]), now.astimezone(UTC))
    days = takewhile(lambda day: day < now + _CALENDARS, midnights)
    return any(second - first == timedelta(days=1) for first, second in pairwise(days))


def next_after(cron: str, timezone: str, moment: datetime) -> datetime | None:
    """Return the first time after `moment`, in UTC; None when there is none within 50 years.

    Where the clocks change, times go by Debian's cron: a time that a change skips comes right after it, and
    one that comes twice fires once. Where the field of the minute or the hour begins with `*`, as in
    `*/30 2 * * *`, a skipped time is left out instead, and one that comes twice fires twice. Raises
    ScheduleError.
    """
    # Where the clocks go back, the wall clock's next time may lie before `moment`.
    return next((each for each in _times(cron, timezone, moment) if each > moment), None)


def _times(cron: str, timezone: str, after: datetime) -> Iterator[datetime]:
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise ScheduleError(
            f"there is no time zone {timezone!r}; names are those of the IANA database, e.g. Europe/Berlin"
        ) from error
    try:
        simulated = CronSim(cron, after.astimezone(zone))
    except CronSimError as error:
        raise ScheduleError(f"{cron!r} is not a cron expression: {error}") from error
    return (each.astimezone(UTC) for each in simulated)
