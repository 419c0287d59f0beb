"""Parsed JSON and YAML as values that know their path, so that a fault can name its place."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml
from pydantic import JsonValue

from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, read_json
from dryrun_contract.discovery import LINE_BOUNDS
from dryrun_contract.text import printable
from dryrun_replica.inventory.faults import FaultList, TooLargeError

JSON_BOUNDS = JsonBounds(size=64 * 1024 * 1024, values=2_000_000, depth=32, key_length=4096)
MAX_LINES = 500_000
"""Of files with a value or a host on each line."""
MAX_YAML_BYTES = 1024 * 1024
MAX_YAML_VALUES = 50_000
"""Counted with aliases expanded: a few nested aliases can stand for billions of values."""
MAX_YAML_DEPTH = 24


@dataclass(frozen=True, slots=True)
class Item:
    """A value of the file with its place. Reading a member of the wrong type is a fault, and gives None."""

    value: JsonValue
    file: str
    faults: FaultList = field(repr=False)
    step: str | int | None = None
    parent: "Item | None" = field(default=None, repr=False)

    @property
    def where(self) -> str:
        """File and path, e.g. `devices.json: results[3].name`."""
        steps: list[str] = []
        item: Item | None = self
        while item is not None and item.step is not None:
            step = item.step
            steps.append(f"[{step}]" if isinstance(step, int) else f".{printable(step, limit=60)}")
            item = item.parent
        path = "".join(reversed(steps)).removeprefix(".")
        return f"{self.file}: {path}" if path else self.file

    def fault(self, what: str) -> None:
        """Record a fault at this place."""
        self.faults.add(self.where, what)

    def member(self, *names: str) -> "Item | None":
        """Return the first of these members that is there and not null; None where this is no object."""
        if isinstance(self.value, dict):
            for name in names:
                if self.value.get(name) is not None:
                    return Item(self.value[name], self.file, self.faults, name, self)
        return None

    def members(self) -> "Iterator[Item]":
        """Yield the members of an object, whose names are their steps."""
        if isinstance(self.value, dict):
            for name, value in self.value.items():
                yield Item(value, self.file, self.faults, name, self)
        else:
            self.fault(f"is {_words(self.value)}; expected an object")

    def items(self) -> "Iterator[Item]":
        """Yield the items of a list."""
        if isinstance(self.value, list):
            for index, value in enumerate(self.value):
                yield Item(value, self.file, self.faults, index, self)
        else:
            self.fault(f"is {_words(self.value)}; expected a list")

    def text(self, *names: str) -> str | None:
        """Return the first of these members as text; numbers are written out. None when it is empty."""
        found = self.member(*names)
        if found is None:
            return None
        if isinstance(found.value, bool) or not isinstance(found.value, str | int | float):
            found.fault(f"is {_words(found.value)}; expected a text")
            return None
        return str(found.value).strip() or None

    def number(self, name: str, *, least: float, most: float) -> float | None:
        """Return the member as a number within bounds; None, with a fault, for any other."""
        found = self.member(name)
        if found is None:
            return None
        value = found.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            found.fault(f"is not a number from {least:g} to {most:g}")
            return None
        return float(value)


def json_item(raw: bytes, file: str, faults: FaultList) -> Item | None:
    """Return the JSON document; None, with a fault, when it is not JSON or exceeds `JSON_BOUNDS`."""
    return _json(raw.removeprefix(b"\xef\xbb\xbf"), JSON_BOUNDS, file, faults)


def json_lines(raw: bytes, file: str, faults: FaultList) -> Iterator[Item]:
    """Yield the JSON value of each line that is not empty; a line that has none is a fault."""
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        where = f"{file}:{number}"
        if number > MAX_LINES:
            faults.add(where, f"is beyond {MAX_LINES:,} lines, the most that is read")
            return
        if not line.strip():
            continue
        item = _json(line, LINE_BOUNDS, where, faults)
        if item is not None:
            yield item


def _json(raw: bytes, bounds: JsonBounds, where: str, faults: FaultList) -> Item | None:
    try:
        return Item(read_json(raw, bounds), where, faults)
    except OutOfBoundsError as error:
        faults.add(where, f"is refused: {error}")
    except UnicodeDecodeError as error:
        faults.add(where, f"is not UTF-8 at byte {error.start}")
    except (ValueError, RecursionError) as error:
        faults.add(where, f"is not JSON: {error}")
    return None


def yaml_item(raw: bytes, file: str, faults: FaultList) -> Item | None:
    """Return the YAML document as JSON would hold it; None, with a fault, when it is not YAML.

    Nothing is constructed from a tag: texts, numbers, lists and maps remain, everything else is its text.
    """
    if len(raw) > MAX_YAML_BYTES:
        faults.add(file, f"is larger than {MAX_YAML_BYTES // 1024} KiB, the most that is read of YAML")
        return None
    try:
        node = _Composer(raw.decode("utf-8")).get_single_node()
        if node is None:
            faults.add(file, "is empty")
            return None
        return Item(_Plain().read(node), file, faults)
    except UnicodeDecodeError as error:
        faults.add(file, f"is not UTF-8 at byte {error.start}")
    except TooLargeError as error:
        faults.add(file, str(error))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        faults.add(f"{file}:{mark.line + 1}" if mark else file, f"is not YAML: {what}")
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML raises ValueError and OverflowError for characters and versions out of range.
        faults.add(file, f"is not YAML: {' '.join(str(error).split())}")
    return None


class _Composer(yaml.SafeLoader):
    """PyYAML's composer, which recurses, with limits on nesting and on values."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._composed = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        self._composed += 1
        if self._depth > MAX_YAML_DEPTH:
            raise TooLargeError(f"is nested deeper than {MAX_YAML_DEPTH} levels")
        if self._composed > MAX_YAML_VALUES:
            raise TooLargeError(f"holds more than {MAX_YAML_VALUES:,} values, the most that is read")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Plain:
    """Turns composed nodes into plain values, and counts them with aliases expanded."""

    def __init__(self) -> None:
        self._values = 0

    def read(self, node: yaml.Node, depth: int = 0) -> JsonValue:
        self._values += 1
        if self._values > MAX_YAML_VALUES or depth > MAX_YAML_DEPTH:
            raise TooLargeError(
                f"is too large with its aliases replaced; allowed are {MAX_YAML_VALUES:,} values and "
                f"{MAX_YAML_DEPTH} levels"
            )
        match node:
            case yaml.SequenceNode():
                return [self.read(child, depth + 1) for child in node.value]
            case yaml.MappingNode():
                return self._read_map(node, depth)
            case yaml.ScalarNode(tag="tag:yaml.org,2002:null"):
                return None
            case _:
                return str(node.value)

    def _read_map(self, node: yaml.MappingNode, depth: int) -> dict[str, JsonValue]:
        found: dict[str, JsonValue] = {}
        for key, child in node.value:
            value = self.read(child, depth + 1)
            if key.tag != "tag:yaml.org,2002:merge":
                found[str(key.value)[:200]] = value
                continue
            # What stands in the map itself wins, wherever it stands.
            for source in value if isinstance(value, list) else [value]:
                if isinstance(source, dict):
                    found = {**source, **found}
        return found


def _words(value: JsonValue) -> str:
    names = {str: "a text", bool: "yes or no", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "an object" if isinstance(value, dict) else "null")
