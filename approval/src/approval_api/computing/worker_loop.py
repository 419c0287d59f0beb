"""What a worker process runs; `worker_process` is the other end.

It has no connection and no secret, yields the processor to the server, and ends with the server.
"""

import json
import os
import resource
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

MEMORY_BYTES = 160 * 1024 * 1024
"""Memory for data. A task that needs more ends this process, and nothing else."""
_KEPT_BYTES = 64 * 1024 * 1024
"""A process that needed more ends after its task, so that all its memory is returned."""
_NUMBER = 8
_NICENESS = 5

type Task = Callable[..., tuple[bytes, ...]]


def _answer(tasks: Mapping[bytes, Task], failed: str, task: list[bytes]) -> tuple[bytes, ...]:
    name, *parts = task
    try:
        return b"done", *tasks[name](*parts)
    except MemoryError:
        return b"failed", f"it needs more than {MEMORY_BYTES // 1024**2} MiB of memory".encode()
    except Exception as error:  # noqa: BLE001  # one task failed; the next ones are not affected
        where = traceback.extract_tb(error.__traceback__)[-1]
        # The message may contain a collector's text, so it is not logged.
        words = {"level": "ERROR", "message": failed, "error": type(error).__name__}
        sys.stderr.write(json.dumps({**words, "where": f"{where.filename}:{where.lineno}"}) + "\n")
        return b"failed", f"an error of the type {type(error).__name__}; see the service's log".encode()


def _receive(source: BinaryIO) -> list[bytes] | None:
    count = source.read(_NUMBER)
    if len(count) < _NUMBER:
        return None
    sizes = [int.from_bytes(source.read(_NUMBER)) for _ in range(int.from_bytes(count))]
    return [source.read(size) for size in sizes]


def _peak_bytes() -> int:
    # Not getrusage: its figure begins with that of the process that started this one.
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def serve(tasks: Mapping[bytes, Task], failed: str) -> None:
    """Serve tasks until standard input ends; `failed` is what the log says of one that fails."""
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (task := _receive(sys.stdin.buffer)) is not None:
        answer = _answer(tasks, failed, task)
        ends = _peak_bytes() > _KEPT_BYTES
        answer = (b"last" if ends else b"more", *answer)
        for number in (len(answer), *map(len, answer)):
            sys.stdout.buffer.write(number.to_bytes(_NUMBER))
        for part in answer:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        if ends:
            return
