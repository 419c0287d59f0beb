"""How much memory the host can still give: whoever starts things there ahead of need has to know."""

from pathlib import Path

HEADER = "Docker-Guard-Memory-Available"
"""Header of the answer to a ping: bytes; missing where they are unknown."""
MEMINFO = Path("/proc/meminfo")
"""The host's, inside of a container too."""


def available_bytes() -> int | None:
    """Return the kernel's estimate, `MemAvailable` of proc(5); None where there is none."""
    try:
        with MEMINFO.open(encoding="ascii") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name == "MemAvailable":
                    return int(value.split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        return None
    return None
