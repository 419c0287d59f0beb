"""Splits the bytes of a collector's log into lines, and parses lines into types of the contract.

A collector's output is hostile input: lines of any length, arbitrary bytes, floods, false counts.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError

from dryrun_contract.bounded_json import OutOfBoundsError, read_model
from dryrun_contract.discovery import (
    COLLECTOR_LINE,
    LINE_BOUNDS,
    CollectorLine,
    DiscoveryLine,
    EndLine,
    WarningLine,
)
from dryrun_contract.fault_words import in_words
from dryrun_contract.text import printable
from dryrun_orchestrator.readers.line_splitter import LineSplitter

SAMPLE_CHARACTERS = 120


class NotUnderstoodLine(WarningLine):
    """A warning about a line that does not follow the contract."""


def parse_line(line: bytes) -> CollectorLine | WarningLine:
    """Parse one line; one that does not follow the contract becomes a warning that shows its beginning."""
    try:
        return read_model(COLLECTOR_LINE, line, LINE_BOUNDS)
    except OutOfBoundsError as error:
        return _warning(str(error), line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return _warning(f"{where}: {in_words(first)}" if where else in_words(first), line)


def _warning(what: str, line: bytes) -> NotUnderstoodLine:
    sample = printable(line[: 4 * SAMPLE_CHARACTERS].decode("utf-8", "replace"), limit=SAMPLE_CHARACTERS)
    return NotUnderstoodLine(
        message=f"a line that is not understood ({printable(what, limit=150)}): {sample}"[:500]
    )


@dataclass(frozen=True, slots=True)
class Said:
    """One parsed line."""

    word: CollectorLine | WarningLine
    size: int
    """Length of the line in bytes."""
    values: int = 0
    """An upper bound on the JSON values in it."""


@dataclass(slots=True)
class ContractLines:
    """Parses output in the contract's form, one JSON object per line."""

    _splitter: LineSplitter = field(default_factory=LineSplitter)

    def feed(self, data: bytes) -> Iterator[Said]:
        """Add bytes and return the lines that are now complete."""
        return map(said, self._splitter.feed(data))

    def finish(self) -> Iterator[Said]:
        """Return what follows the last line break, if anything."""
        return map(said, self._splitter.finish())


def said(line: bytes) -> Said:
    """Parse one line."""
    word = parse_line(line)
    is_discovery = isinstance(word, DiscoveryLine)
    return Said(
        word, len(line), line.count(b"[") + line.count(b"{") + line.count(b",") if is_discovery else 0
    )


@dataclass(slots=True)
class OutputTally:
    """Sums over one reading of a log from its start."""

    discoveries: int = 0
    warnings: int = 0
    not_understood: int = 0
    lines: int = 0
    values: int = 0
    size: int = 0
    """Bytes of standard output."""
    first_line: str | None = None
    """Digest of line 1; it changes when a rotating log loses its beginning."""
    end: EndLine | None = None

    def count(self, word: CollectorLine | WarningLine, values: int = 0) -> None:
        """Count the next line."""
        self.lines += 1
        self.values += values
        if self.first_line is None:
            self.first_line = hashlib.sha256(word.model_dump_json().encode()).hexdigest()
        # Only the last line counts as the end line.
        self.end = word if isinstance(word, EndLine) else None
        if isinstance(word, DiscoveryLine):
            self.discoveries += 1
        elif isinstance(word, WarningLine):
            self.warnings += 1
            self.not_understood += isinstance(word, NotUnderstoodLine)

    def why_incomplete(self, exit_code: int | None) -> str | None:
        """Return why the output is incomplete, or None."""
        if exit_code != 0:
            return f"the collector ended with exit code {exit_code}"
        if self.end is None:
            return "the collector ended without its end line"
        if self.end.discoveries != self.discoveries:
            return f"its end line counts {self.end.discoveries} discoveries, {self.discoveries} were read"
        return None
