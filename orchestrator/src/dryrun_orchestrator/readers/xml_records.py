"""Cuts XML into records: each element of one name, as nested maps that expressions can be applied to.

`<host ip="10.0.0.3">up<port>80</port></host>` becomes `{_ip: 10.0.0.3, _text: up, port: [{_text: 80}]}`.
The parser resolves nothing: an entity or a document type with content ends the reading.
"""

from collections.abc import Iterator
from xml.parsers.expat import ExpatError

from pydantic import JsonValue

from dryrun_orchestrator.readers.sealed_xml import (
    MAX_DEPTH,
    MAX_DOCUMENTS,
    MAX_TAG_BYTES,
    SLICE_BYTES,
    SealedParser,
)

MAX_RECORD_VALUES = 65_536
MAX_RECORD_CHARACTERS = 1024 * 1024

_JUNK_AFTER_DOCUMENT, _MISPLACED_DECLARATION = 9, 17
"""expat's XML_ERROR_JUNK_AFTER_DOC_ELEMENT and XML_ERROR_MISPLACED_XML_PI: another document follows."""


class XmlRecords:
    """Incremental; documents one after another are read as one."""

    def __init__(self, record: str, refused: type[Exception]) -> None:
        self._record = record
        self._refused = refused
        self._found: list[JsonValue] = []
        self._documents = 0
        self._begin()

    def feed(self, data: bytes) -> Iterator[JsonValue]:
        """Add bytes and yield the records that are now complete. Raises RefusedError."""
        # In slices, so that little passes between two checks.
        for start in range(0, len(data), SLICE_BYTES):
            self._parse(data[start : start + SLICE_BYTES])
        found, self._found = self._found, []
        return iter(found)

    def finish(self) -> Iterator[JsonValue]:
        """Raise RefusedError when a document is cut."""
        if self._path or (self._given and not self._closed):
            raise self._refused(f"it ends within <{self._path[-1][:80]}>" if self._path else "it has no end")
        return iter(())

    def _begin(self) -> None:
        self._documents += 1
        if self._documents > MAX_DOCUMENTS:
            raise self._refused(f"it has more than {MAX_DOCUMENTS} documents")
        self._parser = SealedParser(
            self._refused, start=self._start, end=self._end, characters=self._characters, may_refer=True
        )
        # Each piece is parsed at once; tags are too short for the time that this may cost.
        self._parser.expat.SetReparseDeferralEnabled(False)
        self._path: list[str] = []
        self._open: list[dict[str, JsonValue]] = []
        """The record's elements from the outermost to the innermost; empty outside of a record."""
        self._values = self._characters_kept = 0
        self._given = 0
        """Bytes that this document's parser was given."""
        self._closed = False
        self._last = b""
        """What was given from the piece on in which the document ended."""

    def _parse(self, data: bytes) -> None:
        while data:
            if not self._given:
                data = data.lstrip(b" \t\r\n")
                if not data:
                    return
            self._given += len(data)
            self._last = self._last + data if self._closed else data
            if len(self._last) > MAX_TAG_BYTES:
                raise self._refused("what follows a document is not another one")
            try:
                self._parser.parse(data)
            except ExpatError as error:
                if not self._closed or error.code not in (_JUNK_AFTER_DOCUMENT, _MISPLACED_DECLARATION):
                    raise self._refused(f"it is not XML: {error}") from None
                # The next document may have begun in an earlier piece.
                data = self._last[self._parser.expat.ErrorByteIndex - self._given + len(self._last) :]
                self._begin()
                continue
            return

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) == MAX_DEPTH:
            raise self._refused(f"it is nested deeper than {MAX_DEPTH} levels")
        self._path.append(name)
        if not self._open and name != self._record:
            return
        if not self._open:
            self._values = self._characters_kept = 0
        element: dict[str, JsonValue] = {f"_{key}": value for key, value in attributes.items()}
        self._count(1 + len(attributes), sum(map(len, attributes.values())))
        if self._open:
            siblings = self._open[-1].setdefault(name, [])
            if not isinstance(siblings, list):
                raise self._refused(f"an element is named as an attribute is: {name[:80]}")
            siblings.append(element)
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._path.pop()
        if self._open:
            element = self._open.pop()
            text = element.get("_text")
            if isinstance(text, str):
                element["_text"] = text.strip() or None
            if not self._open:
                self._found.append(element)
        self._closed = not self._path

    def _characters(self, text: str) -> None:
        if self._open:
            self._count(0, len(text))
            element = self._open[-1]
            element["_text"] = f"{element.get('_text') or ''}{text}"

    def _count(self, values: int, characters: int) -> None:
        self._values += values
        self._characters_kept += characters
        if self._values > MAX_RECORD_VALUES or self._characters_kept > MAX_RECORD_CHARACTERS:
            raise self._refused(
                f"a <{self._record}> has more than {MAX_RECORD_VALUES} values "
                f"or {MAX_RECORD_CHARACTERS} characters"
            )
