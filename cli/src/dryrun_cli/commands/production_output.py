"""Reads what a production run wrote. Counting happens here: no address is sent anywhere for that."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from pydantic import ValidationError

from dryrun_cli.errors import WrongUseError
from dryrun_contract.bounded_json import OutOfBoundsError, check_bounds
from dryrun_contract.discovery import (
    COLLECTOR_LINE,
    LINE_BOUNDS,
    MAX_LINE_BYTES,
    CollectorLine,
    DiscoveryLine,
    EndLine,
)
from dryrun_contract.production_counts import ProductionCounter, ProductionCounts

MAX_LINES: Final = 2_000_000
STANDARD_INPUT: Final = Path("-")


def read_outcome(path: Path, *, seconds: float | None, packets: int | None) -> ProductionCounts:
    """Return the counts of what `discovery-collect` wrote, of one collector or several after each other.

    It is complete when every collector's end line is there with its count. Raises WrongUseError with the
    line that is not a collector's.
    """
    counted = ProductionCounter()
    since_end, whole, ends = 0, True, 0
    for line in read_lines(path):
        if isinstance(line, DiscoveryLine):
            counted.add(line)
            since_end += 1
        elif isinstance(line, EndLine):
            whole = whole and line.discoveries == since_end
            since_end, ends = 0, ends + 1
            counted.next_collector()
    return counted.counts(complete=bool(ends) and whole and not since_end, seconds=seconds, packets=packets)


def read_lines(path: Path) -> Iterator[CollectorLine]:
    """Yield a collector's lines from a file or standard input, each within its bounds.

    Raises WrongUseError with the line that is not a collector's.
    """
    try:
        if path == STANDARD_INPUT:
            yield from _parsed(sys.stdin.buffer, path)
            return
        with path.open("rb") as file:
            yield from _parsed(file, path)
    except OSError as error:
        raise WrongUseError(f"cannot read {path}: {error.strerror or error}") from error


def _parsed(file: IO[bytes], path: Path) -> Iterator[CollectorLine]:
    number = 0
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number > MAX_LINES:
            raise WrongUseError(f"{path} has more than {MAX_LINES:,} lines")
        if not raw.strip():
            continue
        try:
            if len(raw.rstrip(b"\r\n")) > MAX_LINE_BYTES:
                raise WrongUseError(f"{path}:{number}: longer than {MAX_LINE_BYTES:,} bytes")
            check_bounds(raw, LINE_BOUNDS)
            line = COLLECTOR_LINE.validate_json(raw)
        except OutOfBoundsError as error:
            raise WrongUseError(f"{path}:{number}: {error}") from None
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
            raise WrongUseError(f"{path}:{number} is not a line of a collector: {fault['msg']}") from None
        yield line
