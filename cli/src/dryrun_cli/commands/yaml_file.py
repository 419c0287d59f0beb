"""Reads a small YAML or JSON file that a person wrote."""

from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ConfigDict, JsonValue, TypeAdapter, ValidationError

from dryrun_cli.api.reading import JsonObject
from dryrun_cli.errors import WrongUseError

MOST_BYTES: Final = 60 * 1024
"""The API accepts bodies of 64 KiB."""
MOST_VALUES: Final = 4_000
"""With aliases replaced; the API accepts as many."""
_MOST_DIGITS: Final = 100
_NUMBERS: Final = frozenset({"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})
_JSON_OBJECT: Final[TypeAdapter[dict[str, JsonValue]]] = TypeAdapter(
    dict[str, JsonValue],
    config=ConfigDict(allow_inf_nan=False),  # no JSON has them
)


class _TooLargeError(Exception):
    """The file is small and describes something large."""


def read_mapping(path: Path, what: str, hint: str) -> JsonObject:
    """Return the mapping in a file; messages call it `what`. Raises WrongUseError with path and place."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise WrongUseError(
            f"cannot read the {what} file {path}: {error.strerror or error}; {hint}"
        ) from error
    if len(content) > MOST_BYTES:
        raise WrongUseError(f"{path} has more than {MOST_BYTES} bytes; that is not a file of {what}")
    try:
        loaded = _load(content)
    except _TooLargeError as error:
        raise WrongUseError(f"{path} {error}; that is not a file of {what}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise WrongUseError(f"{path} is neither YAML nor JSON: {' '.join(str(error).split())}") from error
    if not isinstance(loaded, dict):
        raise WrongUseError(f"{path} has no {what}: {hint}")
    try:
        return _JSON_OBJECT.validate_python(loaded)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"] if not isinstance(part, date))
        raise WrongUseError(f"{path}: {where}: {first['msg']}") from None


def _load(content: bytes) -> Any:
    """Return what the file describes, judged before it is built: a line may repeat what stands before it."""
    loader = yaml.SafeLoader(content)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _count(node: yaml.Node, counted: dict[int, int]) -> int:
    """Return how many values a node has with aliases replaced; each node is looked at once.

    Raises _TooLargeError.
    """
    known = counted.get(id(node))
    if known is not None:
        if not known:
            raise _TooLargeError(f"has a value within itself at line {node.start_mark.line + 1}")
        return known
    counted[id(node)] = 0
    values = 1
    match node:
        case yaml.MappingNode():
            values += sum(_count(part, counted) for pair in node.value for part in pair)
        case yaml.SequenceNode():
            values += sum(_count(part, counted) for part in node.value)
        case _ if node.tag in _NUMBERS and len(node.value) > _MOST_DIGITS:
            raise _TooLargeError(f"has a number of {len(node.value)} characters")
    if values > MOST_VALUES:
        raise _TooLargeError(f"has more than {MOST_VALUES} values with its aliases replaced")
    counted[id(node)] = values
    return values
