"""Durations in a few characters."""


def duration(seconds: float) -> str:
    """Return a duration, never a negative one.

    >>> [duration(seconds) for seconds in (-1, 0.44, 9.96, 42, 59.7, 125)]
    ['0.0s', '0.4s', '10s', '42s', '1m 00s', '2m 05s']
    """
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"
