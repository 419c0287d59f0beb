"""Reads what a production run wrote. Counting happens here: no address is sent anywhere for that."""

import os
import signal
import stat
import sys
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, TextIO

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
from dryrun_contract.faults import first_fault
from dryrun_contract.network import AnyNetwork, plain_network
from dryrun_contract.production_counts import ProductionCounter, ProductionCounts
from dryrun_contract.text import printable

MAX_LINES: Final = 2_000_000
NO_NETWORK: Final = (
    "is not an address or network, such as 192.0.2.7 or 192.0.2.0/24; names and ranges are refused, and "
    "several are given with an option each"
)
STANDARD_INPUT: Final = Path("-")
_WANTED: Final = "give what discovery-collect wrote, one JSON object a line, or - for standard input"
_WHY: Final[Mapping[type[OSError], str]] = {
    IsADirectoryError: "it is a folder",
    FileNotFoundError: "there is no such file",
}
_NOT_A_LINE: Final[Mapping[str, str]] = {
    "json_invalid": "it is not JSON",
    "dict_type": "it is JSON, but not an object",
    "model_attributes_type": "it is JSON, but not an object",
    "union_tag_not_found": "it has no type",
    "union_tag_invalid": "its type is none of discovery, progress, warning and end",
}
"""By the kinds of Pydantic's errors: what is wrong with a file of something else."""


def read_outcome(
    path: Path, *, seconds: float | None, packets: int | None, exclude: Sequence[str] = ()
) -> ProductionCounts:
    """Return the counts of what `discovery-collect` wrote, of one collector or several after each other.

    It is complete when every collector's end line is there with its count. Nothing at the addresses of
    `exclude` is counted. Raises WrongUseError with the line that is not a collector's, or the network that
    is none.
    """
    counted = ProductionCounter(exclude=[_excluded(each) for each in exclude])
    since_end, whole, ends = 0, True, 0
    with interruptible():
        for line in read_lines(path):
            if isinstance(line, DiscoveryLine):
                counted.add(line)
                since_end += 1
            elif isinstance(line, EndLine):
                whole = whole and line.discoveries == since_end
                since_end, ends = 0, ends + 1
                counted.not_covered(plain_network(each) for each in line.not_covered)
                counted.next_collector()
    return counted.counts(complete=bool(ends) and whole and not since_end, seconds=seconds, packets=packets)


def _excluded(text: str) -> AnyNetwork:
    try:
        return plain_network(text)
    except ValueError as error:
        why = str(error) if "host bits" in str(error) else f"{printable(text, limit=64)!r} {NO_NETWORK}"
        raise WrongUseError(f"--exclude: {why}") from None


def read_lines(path: Path) -> Iterator[CollectorLine]:
    """Yield a collector's lines from a file or standard input, each within its bounds.

    Raises WrongUseError with the line that is not a collector's.
    """
    with opened_output(path) as file:
        yield from parsed_lines(file, path)


@contextmanager
def opened_output(path: Path) -> Iterator[IO[bytes]]:
    """Open what a collector wrote, or standard input. Raises WrongUseError when it cannot be opened."""
    if path == STANDARD_INPUT:
        stream = standard_input()
        if stream is None:
            raise WrongUseError(f"cannot read standard input: it is closed; {_WANTED}")
        yield stream.buffer
        return
    try:
        with interruptible():  # A pipe opens when somebody writes into it.
            file = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error
    with file:
        yield file


def standard_input() -> TextIO | None:
    """Return standard input; None where this program was started without one."""
    return sys.stdin


def _unreadable(path: Path, error: OSError) -> WrongUseError:
    why = _WHY.get(type(error), error.strerror or str(error))
    return WrongUseError(f"cannot read {path}: {why}; {_WANTED}")


def may_be_read_again(path: Path) -> bool:
    """Return whether a second reading gives the same: a pipe, a terminal or a device has nothing left.

    A file that does not exist counts: each reading is the same error.
    """
    if path == STANDARD_INPUT:
        stream = standard_input()
        return stream is None or _is_file(stream)
    return not (path.is_fifo() or path.is_char_device() or path.is_socket())


def _is_file(stream: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:
        return False


def input_name(path: Path) -> str:
    """Return what messages call a collector's output."""
    return "standard input" if path == STANDARD_INPUT else str(path)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end this block, which holds the event loop up: it waits for a pipe, or reads for long."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def parsed_lines(file: IO[bytes], path: Path) -> Iterator[CollectorLine]:
    """Yield a collector's lines, each within its bounds. Raises WrongUseError with one that is none.

    A last line that its collector did not finish, killed or without room on a disk, is left out.
    """
    line: CollectorLine | None = None
    name = input_name(path)
    for number, raw in enumerate(_raw_lines(file, path), 1):
        if number > MAX_LINES:
            raise WrongUseError(f"{name} has more than {MAX_LINES:,} lines")
        if not raw.strip():
            continue
        try:
            if len(raw.rstrip(b"\r\n")) > MAX_LINE_BYTES:
                raise WrongUseError(f"{name}:{number}: longer than {MAX_LINE_BYTES:,} bytes")
            check_bounds(raw, LINE_BOUNDS)
            line = COLLECTOR_LINE.validate_json(raw)
        except OutOfBoundsError as error:
            raise WrongUseError(f"{name}:{number}: {error}") from None
        except ValidationError as error:
            if not (line is None or isinstance(line, EndLine)) and _is_unfinished(raw, error):
                return
            raise WrongUseError(f"{name}:{number} is not a line of a collector: {_fault(error)}") from None
        yield line


def _raw_lines(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """Yield lines without the byte order mark that some editors write before the first."""
    try:
        first = file.readline(MAX_LINE_BYTES + 1)
        if first.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            raise WrongUseError(f"{input_name(path)} is written in UTF-16; write it again as UTF-8")
        if first:
            yield first.removeprefix(BOM_UTF8)
        while raw := file.readline(MAX_LINE_BYTES + 1):
            yield raw
    except OSError as error:
        raise _unreadable(path, error) from error


def _is_unfinished(raw: bytes, error: ValidationError) -> bool:
    return not raw.endswith(b"\n") and _kind_of(error) == "json_invalid"


def _kind_of(error: ValidationError) -> str:
    return error.errors(include_url=False, include_input=False, include_context=False)[0]["type"]


def _fault(error: ValidationError) -> str:
    kind = _kind_of(error)
    if kind not in _NOT_A_LINE:
        return first_fault(error, "it")
    return f"{_NOT_A_LINE[kind]}{_place_in(error) if kind == 'json_invalid' else ''}; {_WANTED}"


def _place_in(error: ValidationError) -> str:
    """Return where and why a line is not JSON, in the parser's words, which quote nothing of it."""
    why = error.errors(include_url=False, include_input=False)[0]["ctx"]["error"]
    return f" ({str(why).replace(' at line 1 column ', ' at column ')})"
