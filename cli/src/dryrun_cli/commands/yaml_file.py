"""Reads a small YAML or JSON file that a person wrote."""

from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import JsonValue, TypeAdapter, ValidationError

from dryrun_cli.api.reading import JsonObject
from dryrun_cli.errors import WrongUseError

MOST_BYTES: Final = 60 * 1024
"""The API accepts bodies of 64 KiB."""
_JSON_OBJECT: Final[TypeAdapter[dict[str, JsonValue]]] = TypeAdapter(dict[str, JsonValue])


def read_mapping(path: Path, what: str, hint: str) -> JsonObject:
    """Return the mapping in a file; messages call it `what`. Raises WrongUseError with path and place."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise WrongUseError(f"cannot read the {what} file {path}: {error.strerror or error}") from error
    if len(content) > MOST_BYTES:
        raise WrongUseError(f"{path} has more than {MOST_BYTES} bytes; that is not a file of {what}")
    try:
        loaded: Any = yaml.safe_load(content)
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
