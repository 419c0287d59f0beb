"""Cuts an output into records, whatever its form; hostile input like any collector's.

Each form has the same two methods: `feed` takes bytes and yields what is now complete, `finish` what the end
of the output completes. A fault of one record is a FaultyRecord in its place; a fault of the whole output
raises RefusedError and ends the reading.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, check_bounds, read_json
from dryrun_contract.text import printable
from dryrun_orchestrator.readers.expressions import ExpressionError, compiled
from dryrun_orchestrator.readers.line_splitter import LineSplitter
from dryrun_orchestrator.readers.table import ReaderTable
from dryrun_orchestrator.readers.xml_records import XmlRecords

MAX_RECORD_BYTES = 1024 * 1024
"""Longest line; programs that quote pages in their lines need more than a collector of the project's own."""
LINE_BOUNDS = JsonBounds(size=MAX_RECORD_BYTES, values=65_536, depth=32, key_length=4096)
DOCUMENT_BOUNDS = JsonBounds(size=16 * 1024 * 1024, values=400_000, depth=32, key_length=4096)
MAX_COLUMNS = 200
SAMPLE_CHARACTERS = 120


class RefusedError(Exception):
    """The output is not of this form; the message says why."""


@dataclass(frozen=True, slots=True)
class FaultyRecord:
    """A part of the output that is no record."""

    why: str


class Records(Protocol):
    """One form of output."""

    def feed(self, data: bytes) -> Iterator[JsonValue | FaultyRecord]:
        """Add bytes and yield the records that are now complete. Raises RefusedError."""

    def finish(self) -> Iterator[JsonValue | FaultyRecord]:
        """Yield what the end of the output completes. Raises RefusedError."""


def records_of(table: ReaderTable) -> Records:
    """Return the reader of the table's form."""
    match table.form:
        case "json-lines":
            return JsonLines()
        case "json":
            return JsonDocuments(table.record)
        case "csv":
            return CsvRows(table.columns, table.separator)
        case "xml":
            return XmlRecords(table.record or "", RefusedError)


class JsonLines:
    """One JSON value per line."""

    def __init__(self) -> None:
        self._splitter = LineSplitter(limit=MAX_RECORD_BYTES)

    def feed(self, data: bytes) -> Iterator[JsonValue | FaultyRecord]:
        """Add bytes and yield the records that are now complete."""
        return self._records(self._splitter.feed(data))

    def finish(self) -> Iterator[JsonValue | FaultyRecord]:
        """Yield the record after the last line break, if any."""
        return self._records(self._splitter.finish())

    def _records(self, lines: list[bytes]) -> Iterator[JsonValue | FaultyRecord]:
        for line in lines:
            if not line.strip():
                continue
            try:
                yield read_json(line, LINE_BOUNDS)
            except OutOfBoundsError as error:
                yield FaultyRecord(f"{error}: {_sample(line)}")
            except (ValueError, RecursionError):
                yield FaultyRecord(f"not JSON: {_sample(line)}")


class JsonDocuments:
    """One JSON document, or several one after another; read when the output has ended."""

    def __init__(self, record: str | None) -> None:
        self._text = bytearray()
        self._record = compiled(record or "@")

    def feed(self, data: bytes) -> Iterator[JsonValue | FaultyRecord]:
        """Keep the bytes. Raises RefusedError beyond the ceiling."""
        self._text += data
        if len(self._text) > DOCUMENT_BOUNDS.size:
            raise RefusedError(f"it is longer than {DOCUMENT_BOUNDS.size} bytes")
        return iter(())

    def finish(self) -> Iterator[JsonValue | FaultyRecord]:
        """Yield the documents' records; a list of them stands for its entries. Raises RefusedError."""
        try:
            raw = bytes(self._text)
            check_bounds(raw, DOCUMENT_BOUNDS)
            text = raw.decode("utf-8")
        except ValueError as error:
            raise RefusedError(printable(str(error), limit=200)) from None
        self._text.clear()
        decoder, place = json.JSONDecoder(), 0
        while (place := _after_blanks(text, place)) < len(text):
            try:
                document, place = decoder.raw_decode(text, place)
            except (ValueError, RecursionError):
                line = text.count("\n", 0, place) + 1
                raise RefusedError(f"no JSON document begins in line {line}") from None
            try:
                found = self._record(document)
            except ExpressionError as error:
                raise RefusedError(str(error)) from None
            yield from found if isinstance(found, list) else (found,)


class CsvRows:
    """One row per line; the first one names the columns, unless the table does."""

    def __init__(self, columns: tuple[str, ...], separator: str) -> None:
        self._splitter = LineSplitter(limit=MAX_RECORD_BYTES)
        self._columns = list(columns)
        self._separator = separator

    def feed(self, data: bytes) -> Iterator[JsonValue | FaultyRecord]:
        """Add bytes and yield the rows that are now complete."""
        return self._rows(self._splitter.feed(data))

    def finish(self) -> Iterator[JsonValue | FaultyRecord]:
        """Yield the row after the last line break, if any."""
        return self._rows(self._splitter.finish())

    def _rows(self, lines: list[bytes]) -> Iterator[JsonValue | FaultyRecord]:
        for line in lines:
            if len(line) > MAX_RECORD_BYTES:
                yield FaultyRecord(f"longer than {MAX_RECORD_BYTES} bytes: {_sample(line)}")
                continue
            try:
                text = line.decode("utf-8-sig").rstrip("\r")
                reader = csv.reader([text] if text.strip() else [], delimiter=self._separator, strict=True)
                cells = [cell.strip() for cell in next(reader, [])]
            except (ValueError, csv.Error) as error:
                yield FaultyRecord(f"no row of a table ({error}): {_sample(line)}")
                continue
            if not self._columns and cells:
                self._columns = cells
                if len(cells) > MAX_COLUMNS:
                    raise RefusedError(
                        f"its header has {len(cells)} columns; at most {MAX_COLUMNS} are allowed"
                    )
            # A script that calls its program once for each host repeats the header.
            elif cells and cells != self._columns:
                if len(cells) != len(self._columns):
                    yield FaultyRecord(f"{len(cells)} cells, not {len(self._columns)}: {_sample(line)}")
                else:
                    yield dict(zip(self._columns, (cell or None for cell in cells), strict=True))


def _after_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _sample(line: bytes) -> str:
    return printable(line[: 4 * SAMPLE_CHARACTERS].decode("utf-8", "replace"), limit=SAMPLE_CHARACTERS)
