"""Resident memory of processes at every moment: the kernel's high-water mark, reset when watching begins."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MIB = 1024 * 1024


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
        status = Path(f"/proc/{pid}/status")
        assert status.exists(), f"{name} has ended"
        peaks[name] = int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024 / MIB
