"""Applies a reader's table to an output: bytes in, the contract's lines out."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface

from pydantic import JsonValue

from dryrun_contract.discovery import EndLine
from dryrun_contract.resource_key import MAX_NAMES, ResourceKey
from dryrun_orchestrator.readers.expressions import ExpressionError, compiled
from dryrun_orchestrator.readers.records import FaultyRecord, RefusedError, records_of
from dryrun_orchestrator.readers.table import ReaderTable, Row
from dryrun_orchestrator.readers.words import Word, discovery, warning

MAX_TEXT_CHARACTERS = 1000
"""Characters that are kept of a text; a target may put anything into it."""
MAX_DATA_CHARACTERS = 16 * 1024
"""Longest data of a discovery, as JSON."""
MAX_EACH = 20_000
"""How many parts of one record a row looks at, and how many ports in one of them."""
MAX_FAULTS = 20_000
"""How many parts of an output may be faulty; with more, it is not in the format of its reader."""
MAX_KNOWN = 65_536
"""Discoveries remembered, so that one is reported once."""

_PORT = re.compile(r"([0-9]{1,5})(?:/(tcp|udp))?", re.IGNORECASE)

type Apply = Callable[[JsonValue], JsonValue]


class _UnreadableError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Translator:
    """One row of a reader's table, compiled."""

    row: Row
    each: Apply
    when: Apply | None
    host: Apply
    port: Apply | None
    transport: Apply | None
    names: tuple[Apply, ...]
    data: tuple[tuple[str, Apply], ...]


class TableReader:
    """Incremental reader of one output: `feed` returns what is now complete."""

    def __init__(self, table: ReaderTable) -> None:
        self._records = records_of(table)
        self._ignore = compiled(table.ignore) if table.ignore is not None else None
        self._translators = [_translator(row) for row in table.rows]
        self._known: set[int] = set()
        self._records_seen = self._discoveries = self._silent = self._faults = 0
        self._first_silent = ""
        self._last_was_faulty = False
        self._over = False

    def feed(self, data: bytes) -> Iterator[Word]:
        """Take the next bytes."""
        return self._words(self._records.feed, data)

    def finish(self) -> Iterator[Word]:
        """Return what the end completes: warnings, and the end line of an output that is whole."""
        yield from self._words(self._records.finish)
        if self._silent:
            yield warning(
                f"{self._silent} of {self._records_seen} records hold nothing that this reader takes; "
                f"the first: {self._first_silent}"
            )
        if self._over:
            return
        if not self._records_seen:
            yield warning("the output is empty: no record is in it")
        # A line that is cut is what an output looks like whose program was ended.
        elif not self._last_was_faulty:
            yield EndLine(discoveries=self._discoveries)

    def _words(
        self, step: Callable[..., Iterator[JsonValue | FaultyRecord]], *given: bytes
    ) -> Iterator[Word]:
        if self._over:
            return
        try:
            for record in step(*given):
                self._records_seen += 1
                self._last_was_faulty = isinstance(record, FaultyRecord)
                if isinstance(record, FaultyRecord):
                    self._faults += 1
                    yield warning(f"a part of the output that is not understood: {record.why}")
                else:
                    yield from self._translate(record)
                self._check_faults()
        except RefusedError as error:
            self._over = True
            yield warning(f"the output is not what this reader takes: {error}")

    def _check_faults(self) -> None:
        if self._faults > MAX_FAULTS:
            raise RefusedError(f"more than {MAX_FAULTS} parts of it are not understood")

    def _translate(self, record: JsonValue) -> Iterator[Word]:
        words = 0
        for translator in self._translators:
            try:
                for word in _discoveries(translator, record):
                    words += 1
                    yield from self._once(word)
            except (_UnreadableError, ExpressionError) as error:
                words += 1
                self._faults += 1
                yield warning(f"a {translator.row.kind} that cannot be read: {error}: {_shown(record)}")
        if not words and not self._is_ignored(record):
            self._silent += 1
            self._first_silent = self._first_silent or _shown(record)

    def _is_ignored(self, record: JsonValue) -> bool:
        try:
            return self._ignore is not None and bool(self._ignore(record))
        except ExpressionError:
            return False

    def _once(self, word: tuple[str, str, dict[str, JsonValue]]) -> Iterator[Word]:
        kind, key, data = word
        known = hash((kind, key, json.dumps(data, sort_keys=True)))
        if known in self._known:
            return
        if len(self._known) < MAX_KNOWN:
            self._known.add(known)
        line = discovery(kind, key, data, 1.0)
        self._discoveries += line.type == "discovery"
        yield line


def _translator(row: Row) -> _Translator:
    def maybe(text: str | None) -> Apply | None:
        return None if text is None else compiled(text)

    return _Translator(
        row,
        compiled(row.each),
        maybe(row.when),
        compiled(row.host),
        maybe(row.port),
        maybe(row.transport),
        tuple(map(compiled, row.names)),
        tuple((name, compiled(text)) for name, text in row.data.items()),
    )


def _discoveries(
    translator: _Translator, record: JsonValue
) -> Iterator[tuple[str, str, dict[str, JsonValue]]]:
    for item in _several(translator.each(record)):
        if translator.when is not None and not translator.when(item):
            continue
        host = _host(translator.host(item))
        if host is None:
            continue
        if translator.port is None:
            yield translator.row.kind, str(ResourceKey(host)), _data(translator, item)
            continue
        stated = translator.transport(item) if translator.transport is not None else None
        for port in _several(translator.port(item)):
            number, transport = _port(port, stated)
            key = ResourceKey(host, number, transport, _names(translator, item))
            yield translator.row.kind, str(key), _data(translator, item)


def _several(value: JsonValue) -> list[JsonValue]:
    every: list[JsonValue] = value if isinstance(value, list) else [value]
    found: list[JsonValue] = [each for each in every if each not in (None, "")]
    if len(found) > MAX_EACH:
        raise _UnreadableError(f"it holds {len(found)}; at most {MAX_EACH} are allowed")
    return found


def _host(value: JsonValue) -> str | None:
    if value in (None, ""):
        return None
    try:
        # Inventories write an address with the length of its network's prefix.
        text = str(value).strip()
        return str(ip_interface(text).ip if "/" in text else ip_address(text))
    except ValueError:
        raise _UnreadableError(f"{str(value)[:80]} is not an address") from None


def _port(value: JsonValue, stated: JsonValue) -> tuple[int, str]:
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    found = _PORT.fullmatch(str(whole).strip()) if not isinstance(whole, bool) else None
    transport = ((found and found[2]) or stated or "tcp") if found else None
    if found is None or not isinstance(transport, str) or transport.lower() not in ("tcp", "udp"):
        shown = str(value)[:80] if found is None else str(transport)[:80]
        what = "a port" if found is None else "a transport; tcp and udp are"
        raise _UnreadableError(f"{shown} is not {what}")
    if not 1 <= int(found[1]) <= 65535:
        raise _UnreadableError(f"{found[1]} is not a port")
    return int(found[1]), transport.lower()


def _names(translator: _Translator, item: JsonValue) -> tuple[str, ...]:
    names = [_cut(name(item)) for name in translator.names]
    parts = [str(name) for name in names if name not in (None, "")]
    if len(parts) > MAX_NAMES:
        raise _UnreadableError(f"it has {len(parts)} names; at most {MAX_NAMES} are allowed")
    return tuple(parts)


def _data(translator: _Translator, item: JsonValue) -> dict[str, JsonValue]:
    found = {name: _cut(value) for name, apply in translator.data if (value := apply(item)) not in (None, "")}
    if len(json.dumps(found)) > MAX_DATA_CHARACTERS:
        raise _UnreadableError(f"its data is longer than {MAX_DATA_CHARACTERS} characters")
    return found


def _cut(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return value[:MAX_TEXT_CHARACTERS]
    return [_cut(each) for each in value] if isinstance(value, list) else value


def _shown(record: JsonValue) -> str:
    return json.dumps(record)[:120]
