"""How much memory this host can still give; that of the engine's host wherever both are one."""

from pathlib import Path

MEMINFO = Path("/proc/meminfo")


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
