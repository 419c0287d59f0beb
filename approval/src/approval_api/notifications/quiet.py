"""When something may be sent on a channel: not in quiet hours, and not before it gathered. Pure."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dryrun_contract.notification import ChannelRequest


def may_send(channel: ChannelRequest, oldest: datetime, now: datetime) -> bool:
    """Return whether what waits since `oldest` may be sent at `now`."""
    return now - oldest >= timedelta(minutes=channel.gather_minutes) and not is_quiet(channel, now)


def is_quiet(channel: ChannelRequest, now: datetime) -> bool:
    """Return whether `now` lies in the channel's quiet hours, which may span midnight."""
    if channel.quiet_from is None or channel.quiet_to is None:
        return False
    try:
        zone = ZoneInfo(channel.timezone)
    except (KeyError, ValueError, OSError):  # this machine's database does not have it any more
        return False
    clock = now.astimezone(UTC).astimezone(zone).time()
    begin, end = time.fromisoformat(channel.quiet_from), time.fromisoformat(channel.quiet_to)
    return begin <= clock < end if begin <= end else clock >= begin or clock < end
