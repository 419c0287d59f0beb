"""Time spent since the start of the command; `--timings` prints it."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path


def _process_age_seconds() -> float:
    # Field 22 is the start in clock ticks since boot (proc_pid_stat(5)); includes the interpreter's start.
    started = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Timings:
    """Milestones with the seconds since this process began."""

    begun: float = field(default_factory=lambda: time.monotonic() - _process_age_seconds())
    milestones: list[tuple[str, float]] = field(default_factory=list)

    def mark(self, milestone: str) -> None:
        """Record that `milestone` is reached now."""
        self.milestones.append((milestone, time.monotonic() - self.begun))

    def seconds(self) -> float:
        """Return the seconds since this process began."""
        return time.monotonic() - self.begun
