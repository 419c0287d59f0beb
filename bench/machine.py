"""Where the bench runs: figures of another machine are other figures."""

import os
import platform
import subprocess
from pathlib import Path

from bench.results import Machine


def described() -> Machine:
    """Return this machine's description. Raises CalledProcessError without an engine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        processors=os.cpu_count() or 1,
        model=_model(),
        memory_gib=round(memory / 2**30, 1),
        kernel=platform.release(),
        engine=_output("docker", "version", "--format", "{{.Server.Version}}"),
    )


def load() -> float:
    """Return the load average over the last minute."""
    return round(os.getloadavg()[0], 2)


def commit(root: Path) -> str:
    """Return what is measured, with a mark when it is not committed; the bench's own results do not count."""
    own = (".", ":(exclude)bench/results", ":(exclude)docs/benchmarks*")
    changed = _output("git", "-C", str(root), "status", "--porcelain", "--untracked-files=no", "--", *own)
    return _output("git", "-C", str(root), "rev-parse", "--short=12", "HEAD") + (
        " and changes" if changed else ""
    )


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()
