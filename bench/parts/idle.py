"""What the services cost while nothing happens: processor time and memory of each."""

import asyncio
from pathlib import Path

from bench.processors import cpu_seconds, services
from bench.results import PartResult, Table
from bench.system import running_sessions
from bench.turns import Setting

ABOUT = """\
All services as `make up` starts them, a while after their start, with no session and nobody looking on.
Memory is what is resident, of a service's processes together; PostgreSQL's processes share some of it."""
_SETTLING_SECONDS = 5.0


async def measure(setting: Setting) -> PartResult:
    """Watch the services' processes for a while."""
    seconds = float(setting.amount(20, long=120))
    async with running_sessions() as sessions:
        await asyncio.sleep(_SETTLING_SECONDS)
        await sessions.system.missing_for_sessions()
        setting.say(f"{seconds:.0f} s of nothing")
        before = {pid: cpu_seconds(pid) for pids in services().values() for pid in pids}
        await asyncio.sleep(seconds)
        rows = []
        for name, pids in sorted(services().items()):
            cpu = sum(cpu_seconds(pid) - before.get(pid, 0.0) for pid in pids)
            memory = sum(_memory_mib(pid) for pid in pids)
            rows.append([name, f"{cpu / seconds:.1%} of a processor", f"{memory:.0f} MiB", str(len(pids))])
    table = Table(title="At rest", columns=["service", "processor", "memory", "processes"], rows=rows)
    return PartResult(part="idle", title="At rest", about=ABOUT, tables=[table])


def _memory_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
