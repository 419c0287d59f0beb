"""Who used the processors: this machine altogether, and each of the services that a measurement started."""

import asyncio
import os
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_SAMPLE_SECONDS = 0.1
_NAMES = {
    "approval-api": "approval API",
    "docker-guard": "guard",
    "dryrun-orchestrator": "orchestrator",
    "postgres": "PostgreSQL",
}
ALL = "this machine altogether"

type Seconds = Mapping[str, float]
type Used = Mapping[str, dict[int, float]]
"""Seconds of each process, by service."""


class Usage:
    """Processor time since some beginning, at several moments (seconds since the epoch, in their order)."""

    def __init__(self, samples: list[tuple[float, Seconds]]) -> None:
        self._samples = samples

    def between(self, begin: float, end: float) -> dict[str, float]:
        """Return the processor seconds of each from `begin` to `end`; between samples they grow evenly."""
        before, after = self._at(begin), self._at(end)
        return {name: after[name] - before[name] for name in after}

    def _at(self, moment: float) -> Seconds:
        place = bisect_left(self._samples, moment, key=lambda sample: sample[0])
        if place in {0, len(self._samples)}:
            raise ValueError("nothing was sampled on both sides of this moment")
        (left, first), (right, second) = self._samples[place - 1 : place + 1]
        share = (moment - left) / (right - left)
        return {name: first[name] + share * (second[name] - first[name]) for name in first}


@asynccontextmanager
async def watched_processors() -> AsyncIterator[Usage]:
    """Watch the processors, and the services that run when the block begins."""
    used = {name: dict.fromkeys(pids, 0.0) for name, pids in services().items()}
    samples = [_sample(used)]
    task = asyncio.create_task(_go_on_sampling(used, samples))
    try:
        yield Usage(samples)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _go_on_sampling(used: Used, samples: list[tuple[float, Seconds]]) -> None:
    while True:
        await asyncio.sleep(_SAMPLE_SECONDS)
        samples.append(_sample(used))


def _sample(used: Used) -> tuple[float, Seconds]:
    for each in used.values():
        # What a process had used that has ended since still counts.
        each |= {pid: max(before, cpu_seconds(pid)) for pid, before in each.items()}
    return time.time(), {ALL: _busy_seconds(), **{name: sum(each.values()) for name, each in used.items()}}


def _busy_seconds() -> float:
    stat = Path("/proc/stat").read_text()
    # user nice system idle iowait irq softirq steal; what guests use is in user.
    user, nice, system, _, _, *interrupts = map(int, stat.split(maxsplit=9)[1:9])
    return sum((user, nice, system, *interrupts)) / _TICKS_PER_SECOND


def services() -> dict[str, list[int]]:
    """Return the processes that this one started, and those that they started, by service."""
    found: dict[str, list[int]] = {}
    for pid in _descendants(os.getpid()):
        command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        for program, name in _NAMES.items():
            if program in command:
                found.setdefault(name, []).append(pid)
                break
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used; 0 for one that has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # After the name, which ends with the last bracket.
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def _descendants(pid: int) -> list[int]:
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return [each for child in children for each in (child, *_descendants(child))]
