"""The process in which reports are computed and written; `worker_process` is the other end.

It has no connection and no secret, yields the processor to the server, and ends with the server.
"""

import json
import os
import resource
import sys
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from pydantic import Field

from approval_api.reports.build import build
from approval_api.reports.comparison import COMPARISON, compare
from approval_api.reports.criteria import Criteria, judge
from approval_api.reports.csv_file import render_csv
from approval_api.reports.figures import Figures
from approval_api.reports.forecast import ForecastQuestion, forecast
from approval_api.reports.html import render_html_file, render_html_fragment
from approval_api.reports.inputs import Inputs
from approval_api.reports.markdown import render
from dryrun_contract.base import Word
from dryrun_contract.report import Report

MEMORY_BYTES = 160 * 1024 * 1024
"""For data. A report that needs more ends this process, and nothing else."""
_KEPT_BYTES = 64 * 1024 * 1024
"""A process that needed more ends after its task, so that all its memory is returned."""
_NUMBER = 8
_NICENESS = 5


class Writing(Word):
    """The options for writing a report."""

    form: str = Field(pattern="^(json|markdown|html|csv|fragment)$")
    criteria: Criteria | None = None
    question: ForecastQuestion | None = None


_RENDERERS: dict[str, Callable[[Report], str]] = {
    "json": lambda report: report.model_dump_json(),
    "markdown": render,
    "html": render_html_file,
    "csv": render_csv,
    "fragment": render_html_fragment,
}


def compute(*parts: bytes) -> tuple[bytes, ...]:
    """Return a report's figures, and the report, compressed."""
    inputs = Inputs.of_task(*parts)
    refused: list[None] = []
    report = build(inputs.session(), inputs.events(lambda: refused.append(None)))
    report = report.model_copy(update={"left_out": inputs.left_out + len(refused)})
    figures = Figures.of(report).model_dump_json().encode()
    return figures, zlib.compress(report.model_dump_json().encode(), 1)


def write(how: bytes, kept: bytes) -> tuple[bytes, ...]:
    """Return a report as a document, compressed."""
    wanted, report = Writing.model_validate_json(how), _read(kept)
    if wanted.question is not None:
        report = report.model_copy(update={"forecast": forecast(report, wanted.question)})
    if wanted.criteria is not None:
        report = report.model_copy(update={"verdict": judge(report, wanted.criteria)})
    document = _RENDERERS[wanted.form](report)
    return (zlib.compress(document.encode("utf-8", "replace"), 1),)


def compare_two(before: bytes, after: bytes) -> tuple[bytes, ...]:
    """Return the comparison of two reports."""
    return (COMPARISON.dump_json(compare(_read(before), _read(after))),)


def _read(kept: bytes) -> Report:
    return Report.model_validate_json(zlib.decompress(kept))


_TASKS: dict[bytes, Callable[..., tuple[bytes, ...]]] = {
    b"compute": compute,
    b"write": write,
    b"compare": compare_two,
}


def _answer(task: list[bytes]) -> tuple[bytes, ...]:
    name, *parts = task
    try:
        return b"done", *_TASKS[name](*parts)
    except MemoryError:
        return b"failed", f"it needs more than {MEMORY_BYTES // 1024**2} MiB of memory".encode()
    except Exception as error:  # noqa: BLE001  # one report failed; the next ones are not affected
        where = traceback.extract_tb(error.__traceback__)[-1]
        # The message may contain a collector's text, so it is not logged.
        words = {"level": "ERROR", "message": "a report failed", "error": type(error).__name__}
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


def main() -> None:
    """Serve tasks until standard input ends."""
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (task := _receive(sys.stdin.buffer)) is not None:
        answer = _answer(task)
        ends = _peak_bytes() > _KEPT_BYTES
        answer = (b"last" if ends else b"more", *answer)
        for number in (len(answer), *map(len, answer)):
            sys.stdout.buffer.write(number.to_bytes(_NUMBER))
        for part in answer:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        if ends:
            return


if __name__ == "__main__":
    main()
