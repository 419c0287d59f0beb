"""Durations and sizes in a few characters."""

from typing import Final

_MINUTE: Final = 60


def duration(seconds: float) -> str:
    """`0.4s`, `42s`, `2m 05s`; never negative."""
    seconds = max(seconds, 0.0)
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < _MINUTE:
        return f"{seconds:.0f}s"
    return f"{int(seconds) // _MINUTE}m {int(seconds) % _MINUTE:02d}s"


def byte_count(count: float) -> str:
    """`512 B`, `1.2 KiB`, `3.4 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
