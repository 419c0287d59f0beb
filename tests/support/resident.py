"""Resident memory of processes at every moment: the kernel's high-water mark, reset when watching begins."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MIB = 1024 * 1024


def resident_mib(pid: int, field: str = "VmRSS") -> float:
    """Return what a process holds now, in MiB; with `VmHWM` the most since that was reset (proc(5))."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024 / MIB


@contextmanager
def watched(pids: Mapping[str, int]) -> Iterator[dict[str, float]]:
    """Yield a dict that holds, after the block, the peak of each process in MiB (`VmHWM`, proc(5)).

    A process that has ended meanwhile is an AssertionError: a crash is the worst of all peaks.
    """
    for pid in pids.values():
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets VmHWM to what is resident now
    peaks: dict[str, float] = {}
    yield peaks
    for name, pid in pids.items():
        assert Path(f"/proc/{pid}").exists(), f"{name} has ended"
        peaks[name] = resident_mib(pid, "VmHWM")
