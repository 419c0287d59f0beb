"""Turns the bytes of a collector's log into numbered lines, and lines into words of the contract.

What a collector says is hostile input: lines of any length, bytes of any kind, floods, lies about counts.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import ValidationError

from dryrun_contract.bounded_json import OutOfBoundsError, read_model
from dryrun_contract.discovery import (
    COLLECTOR_LINE,
    LINE_BOUNDS,
    MAX_LINE_BYTES,
    CollectorLine,
    DiscoveryLine,
    EndLine,
    WarningLine,
)
from dryrun_contract.text import printable

SAMPLE_CHARACTERS = 120


@dataclass(slots=True)
class LineSplitter:
    """Cuts a byte stream into lines; of a line longer than `limit` bytes only the beginning is kept."""

    count: int = 0
    limit: int = MAX_LINE_BYTES
    _rest: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes and return the lines that are complete now; memory stays bounded."""
        lines = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._keep(data[start:end])
            lines.append(self._take())
            start = end + 1
        self._keep(data[start:])
        return lines

    def finish(self) -> list[bytes]:
        """Return what stands after the last line break, if anything."""
        return [self._take()] if self._rest else []

    def _keep(self, data: bytes) -> None:
        # One byte more than allowed, so that parse_line sees that it is too long.
        self._rest += data[: self.limit + 1 - len(self._rest)]

    def _take(self) -> bytes:
        line = bytes(self._rest)
        self._rest.clear()
        self.count += 1
        return line


def parse_line(line: bytes) -> CollectorLine | WarningLine:
    """Read one line; one that says nothing of the contract becomes a warning that shows its beginning."""
    try:
        return read_model(COLLECTOR_LINE, line, LINE_BOUNDS)
    except OutOfBoundsError as error:
        return _warning(str(error), line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        return _warning(f"{where}: {first['msg']}" if where else first["msg"], line)


def _warning(what: str, line: bytes) -> WarningLine:
    sample = printable(line[: 4 * SAMPLE_CHARACTERS].decode("utf-8", "replace"), limit=SAMPLE_CHARACTERS)
    return WarningLine(
        message=f"a line that is not understood ({printable(what, limit=150)}): {sample}"[:500]
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What one line says."""

    word: CollectorLine | WarningLine
    size: int
    """Bytes it was read from."""
    values: int = 0
    """About as many values it holds; never less than need memory."""


@dataclass(slots=True)
class ContractLines:
    """Reads output in the contract's own form, a JSON object a line."""

    _splitter: LineSplitter = field(default_factory=LineSplitter)

    def feed(self, data: bytes) -> Iterator[Said]:
        """Take bytes and return what the lines say that are complete now."""
        return map(_said, self._splitter.feed(data))

    def finish(self) -> Iterator[Said]:
        """Return what stands after the last line break, if anything."""
        return map(_said, self._splitter.finish())


def _said(line: bytes) -> Said:
    word = parse_line(line)
    told = isinstance(word, DiscoveryLine)
    return Said(word, len(line), line.count(b"[") + line.count(b"{") + line.count(b",") if told else 0)


@dataclass(slots=True)
class OutputTally:
    """What one reading of a log from its start adds up to."""

    discoveries: int = 0
    warnings: int = 0
    lines: int = 0
    values: int = 0
    size: int = 0
    """Bytes of standard output."""
    first_line: str | None = None
    """Digest of line 1: it changes when a rotating log lost its beginning."""
    end: EndLine | None = None

    def count(self, word: CollectorLine | WarningLine, values: int = 0) -> None:
        """Take the next line into account."""
        self.lines += 1
        self.values += values
        if self.first_line is None:
            self.first_line = hashlib.sha256(word.model_dump_json().encode()).hexdigest()
        # Only the last line can be the end.
        self.end = word if isinstance(word, EndLine) else None
        if isinstance(word, DiscoveryLine):
            self.discoveries += 1
        elif isinstance(word, WarningLine):
            self.warnings += 1

    def why_incomplete(self, exit_code: int | None) -> str | None:
        """Return why the output cannot be called whole, or None."""
        if exit_code != 0:
            return f"the collector ended with exit code {exit_code}"
        if self.end is None:
            return "the collector ended without its end line"
        if self.end.discoveries != self.discoveries:
            return f"its end line counts {self.end.discoveries} discoveries, {self.discoveries} were read"
        return None
