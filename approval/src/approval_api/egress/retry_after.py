"""Reads how long the other side asks to wait."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from approval_api.egress.client import Answer

_LONGEST_WAIT = 3600.0


def wait_asked_for(answer: Answer) -> float | None:
    """Return the seconds in `Retry-After` (RFC 9110, 10.2.3), at most an hour; None without a valid one.

    >>> wait_asked_for(Answer(429, {"retry-after": "7"}, b""))
    7.0
    """
    text = answer.headers.get("retry-after", "")
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return min(float(text), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_WAIT)
