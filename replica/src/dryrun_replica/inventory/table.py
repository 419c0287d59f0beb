"""Reads tables of people's programs: CSV in whatever encoding and with whatever separator, row by row."""

import codecs
import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from dryrun_replica.inventory.faults import FaultList, quoted
from dryrun_replica.inventory.wiki_table import without_drawing

MAX_ROWS = 200_000
MAX_COLUMNS = 200
MAX_CELL = 32_767
"""Characters; a spreadsheet's own limit."""
_SEPARATORS = (",", ";", "\t", "|")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OLD_ENCODING = (
    "save it as UTF-8 (a spreadsheet's `CSV UTF-8`), or convert it: `iconv -f WINDOWS-1252 -t UTF-8 FILE`"
)
_YES = re.compile(r"1|y|yes|true|x|on|enabled|over ssl|(?:tls|ssl)(?:[ _]?v?\d(?:[._]\d)?)?")
_NO = frozenset({"0", "n", "no", "false", "off", "disabled", "none", "plain"})
_NOBODY_KNOWS = frozenset({"-", "--", "?", "n/a", "na", "null", "unknown"})
_WORDS = "write yes, true or 1, or no, false or 0, or leave the cell empty"


class _Reader(Protocol):
    """What `csv.reader` returns."""

    @property
    def line_num(self) -> int: ...

    def __iter__(self) -> Iterator[list[str]]: ...


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the cells that are not empty, by their column's plain name."""

    where: str
    cells: Mapping[str, str]

    def first(self, *columns: str) -> str | None:
        """Return the first of these cells that is not empty."""
        for column in columns:
            if (text := self.cells.get(column)) is not None:
                return text
        return None

    def those(self, columns: Iterable[str]) -> list[str]:
        """Return all of these cells that are not empty."""
        return [self.cells[column] for column in columns if column in self.cells]

    def yes_or_no(self, columns: Iterable[str], faults: FaultList) -> bool | None:
        """Return what the first of these cells that is not empty says; what is neither is a fault."""
        for column in columns:
            text = self.cells.get(column)
            if text is None:
                continue
            word = text.casefold()
            if _YES.fullmatch(word) or word in _NO:
                return word not in _NO
            if word in _NOBODY_KNOWS:
                continue
            what = f"{quoted(text)} in the column {quoted(column)} is neither yes nor no; {_WORDS}"
            faults.add(self.where, what)
            break
        return None


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a heading."""

    columns: tuple[str, ...]
    headings: tuple[str, ...]
    """As the file has them, one for each column."""
    _reader: "_Reader"
    _file: str
    _faults: FaultList

    def rows(self) -> Iterator[Row]:
        """Yield each row that holds anything; a broken one is a fault, and ends the table."""
        try:
            for count, cells in enumerate(self._reader, 1):
                where = f"{self._file}:{self._reader.line_num}"
                if count > MAX_ROWS:
                    self._faults.add(where, f"is beyond {MAX_ROWS:,} rows, the most that is read")
                    return
                if len(cells) > len(self.columns) and any(map(str.strip, cells[len(self.columns) :])):
                    self._faults.add(where, f"has {len(cells)} cells; the heading has {len(self.columns)}")
                    continue
                held = {
                    column: cell.strip()[:MAX_CELL]
                    for column, cell in zip(self.columns, cells, strict=False)
                    if column and cell.strip()
                }
                if held:
                    yield Row(where, held)
        except csv.Error as error:
            self._faults.add(f"{self._file}:{self._reader.line_num}", f"is not CSV: {error}")


def plain(column: str) -> str:
    """Return a column's name as readers know it.

    >>> plain(" IP Address "), plain("Virtual-Machine"), plain("Nom d'hôte")
    ('ip_address', 'virtual_machine', 'nom_d_hote')
    """
    return re.sub(r"[^a-z0-9]+", "_", folded(column)).strip("_")


def folded(text: str) -> str:
    """Return the beginning of a text as words are compared: in lower case, without accents.

    >>> folded("Außer Betrieb"), folded("Arrêté")
    ('ausser betrieb', 'arrete')
    """
    apart = unicodedata.normalize("NFKD", text[:100].casefold())
    return "".join(each for each in apart if not unicodedata.combining(each))[:200]


def table(raw: bytes, file: str, faults: FaultList) -> Table | None:
    """Return the table in `raw`; None, with a fault, when it is not one."""
    text = decode(raw, file, faults)
    if text is None:
        return None
    drawn = without_drawing(text, file, faults)
    text, separator = (drawn, "|") if drawn is not None else _separator(text)
    if separator is None:
        faults.add(f"{file}:1", "has one column; expected a heading such as host,port,product,version")
        return None
    # In a wiki's table, a quote is one more character of its cell. Without strict, one that is never closed
    # would swallow the rest of the file silently.
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=separator,
        quoting=csv.QUOTE_MINIMAL if drawn is None else csv.QUOTE_NONE,
        strict=True,
    )
    try:
        heading = next(filter(None, reader), [])
    except csv.Error as error:
        faults.add(f"{file}:1", f"is not CSV: {error}")
        return None
    if len(heading) > MAX_COLUMNS:
        faults.add(f"{file}:1", f"has {len(heading)} columns; at most {MAX_COLUMNS} are allowed")
        return None
    columns = tuple(map(plain, heading))
    twice = [name for name, count in Counter(filter(None, columns)).items() if count > 1]
    if twice:
        faults.add(f"{file}:1", f"has the column {quoted(twice[0])} twice")
        return None
    return Table(columns, tuple(map(str.strip, heading)), reader, file, faults)


def decode(raw: bytes, file: str, faults: FaultList) -> str | None:
    """Return the text of `raw`: UTF-8, or UTF-16 and UTF-32 with or without their mark.

    None, with a fault, for any other encoding: a guess would silently change names.
    """
    encoding = encoding_of(raw)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        what_next = _OLD_ENCODING if encoding.startswith("utf-8") else "save it as UTF-8"
        line = raw.count(b"\n", 0, error.start) + 1
        faults.add(file, f"is not {encoding.upper()} at byte {error.start}, in line {line:,}; {what_next}")
        return None
    if "\x00" in text:
        faults.add(file, "holds the character NUL; it is not text, or in an encoding that is not known")
        return None
    return text


def encoding_of(raw: bytes) -> str:
    """Return the encoding by the mark at the beginning, or by where the zeros are."""
    marked = next((name for mark, name in _MARKS if raw.startswith(mark)), None)
    if marked is not None:
        return marked
    # Latin letters in UTF-16 have a zero as every second byte.
    head = raw[:400]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if odd > len(head) // 4 and not even:
        return "utf-16-le"
    if even > len(head) // 4 and not odd:
        return "utf-16-be"
    return "utf-8"


def _separator(text: str) -> tuple[str, str | None]:
    """Return the text without a spreadsheet's `sep=` line, and the separator of its heading."""
    heading, _, rest = text.partition("\n")
    named = re.fullmatch(r"\"?sep=(.)\"?\r?", heading)
    if named is not None:
        # An empty line in its place: faults name the lines of the file.
        return f"\n{rest}", named[1] if named[1] in _SEPARATORS else None
    heading = heading if heading.strip() else next(filter(str.strip, text.splitlines()), "")
    counts = {separator: heading[:10_000].count(separator) for separator in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda separator: counts[separator])
    return text, best if counts[best] else None
