"""What a collector wrote in one scan: whether that was all of it, and its last line on each resource.

A collector reports a resource as soon as it sees it, and again when it knows more. Only its last line counts:
an earlier one, stored by itself, would be a change of what somebody approved.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from dryrun_cli.commands.production_output import (
    input_name,
    interruptible,
    may_be_read_again,
    opened_output,
    parsed_lines,
)
from dryrun_cli.errors import WrongUseError
from dryrun_contract.discovery import CollectorLine, DiscoveryLine, EndLine, WarningLine

MAX_PIPED_BYTES: Final = 1024**3
_BYTES_IN_MEMORY: Final = 16 * 1024**2
_BYTES_AT_ONCE: Final = 64 * 1024
_INSTEAD: Final = "write it to a file, and report that"


class ScanOutput:
    """A collector's output, read once to its end. Raises WrongUseError with an invalid line, or with none."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path
        self._start = file.tell()
        self.warnings = 0
        self.promised: int | None = None
        """How many discoveries the end line counts; None without one."""
        self.not_covered: tuple[str, ...] = ()
        """What of its targets the collector did not look at."""
        self.count = 0
        last: dict[bytes, int] = {}
        line: CollectorLine | None = None
        for line in parsed_lines(file, path):
            if self.promised is not None:
                raise WrongUseError(
                    f"{input_name(path)} goes on after its end line; report each collector's output by itself"
                )
            if isinstance(line, EndLine):
                self.promised, self.not_covered = line.discoveries, line.not_covered
            elif isinstance(line, WarningLine):
                self.warnings += 1
            elif isinstance(line, DiscoveryLine):
                last[_identity(line)] = self.count
                self.count += 1
        if line is None:  # It failed before it began, and who calls this in a pipe sees only our exit code.
            raise WrongUseError(f"{input_name(path)} is empty: its collector wrote nothing")
        self._last = frozenset(last.values())
        self.whole = self.promised == self.count
        """Whether the end line was there, the last one, with the right count."""

    def discoveries(self) -> Iterator[DiscoveryLine]:
        """Yield the last line on each resource. Raises WrongUseError at the end if lines are gone."""
        self._file.seek(self._start)
        lines = (line for line in parsed_lines(self._file, self._path) if isinstance(line, DiscoveryLine))
        left = len(self._last)
        # What is written to the file meanwhile was not judged.
        for number, line in zip(range(self.count), lines, strict=False):
            if number in self._last:
                left -= 1
                yield line
        if left:  # Another scan overwrites it: what it no longer has would count as missed.
            raise WrongUseError(
                f"{input_name(self._path)} was overwritten while it was reported; this report proves "
                "nothing: report it again once it is whole"
            )


@contextmanager
def readable_twice(path: Path) -> Iterator[IO[bytes]]:
    """Open a collector's output; of a pipe, what it had until its end.

    Raises WrongUseError when it cannot be read, or a pipe has more than `MAX_PIPED_BYTES`.
    """
    with opened_output(path) as file:
        if may_be_read_again(path):
            yield file
            return
        with _temporary_file() as copy:
            try:
                with interruptible():
                    _copy(file, copy, path)
            except OSError as error:
                raise WrongUseError(
                    f"cannot keep what came from {input_name(path)} until its end: {error.strerror}; "
                    f"{_INSTEAD}"
                ) from error
            yield copy


@contextmanager
def _temporary_file() -> Iterator[IO[bytes]]:
    file = SpooledTemporaryFile(max_size=_BYTES_IN_MEMORY)  # noqa: SIM115  # with a close that may fail
    try:
        yield file
    finally:
        # Closing writes what a full disk had no room for, and fails once more.
        with suppress(OSError):
            file.close()


def _copy(source: IO[bytes], target: IO[bytes], path: Path) -> None:
    left = MAX_PIPED_BYTES
    while read := source.read(_BYTES_AT_ONCE):
        left -= len(read)
        if left < 0:
            raise WrongUseError(f"{input_name(path)} has more than {MAX_PIPED_BYTES:,} bytes; {_INSTEAD}")
        target.write(read)
    target.seek(0)


def _identity(line: DiscoveryLine) -> bytes:
    return blake2b(f"{line.kind} {line.key}".encode(errors="surrogatepass"), digest_size=16).digest()
