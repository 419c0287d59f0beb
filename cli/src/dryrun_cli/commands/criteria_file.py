"""Reads a criteria file; the API checks which criteria exist."""

from datetime import date
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import yaml
from pydantic import JsonValue, TypeAdapter, ValidationError

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import JsonObject
from dryrun_cli.errors import ApiRefusedError, WrongUseError

MOST_BYTES: Final = 60 * 1024
"""The API accepts bodies of 64 KiB."""
NOT_FOUND: Final = 404
NOT_VALID: Final = 422
_JSON_OBJECT: Final[TypeAdapter[dict[str, JsonValue]]] = TypeAdapter(dict[str, JsonValue])


def read_criteria(path: Path) -> JsonObject:
    """Return the mapping in a YAML or JSON file. Raises WrongUseError with path and place."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise WrongUseError(f"cannot read the criteria file {path}: {error.strerror or error}") from error
    if len(content) > MOST_BYTES:
        raise WrongUseError(f"{path} has more than {MOST_BYTES} bytes; criteria are a short list of limits")
    try:
        loaded: Any = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise WrongUseError(f"{path} is neither YAML nor JSON: {' '.join(str(error).split())}") from error
    if not isinstance(loaded, dict):
        raise WrongUseError(f"{path} has no criteria: expected NAME: LIMIT lines (see: dryrun criteria)")
    try:
        return _JSON_OBJECT.validate_python(loaded)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"] if not isinstance(part, date))
        raise WrongUseError(f"{path}: {where}: {first['msg']}") from None


async def read_checked(client: ApiClient, path: Path) -> JsonObject:
    """Return the criteria of a file that the API has checked. Raises WrongUseError with all faults.

    The API checks a body before it looks up the session, so its answer for the nil session's report
    distinguishes an invalid file (422) from a valid one (404).
    """
    criteria = read_criteria(path)
    try:
        await client.report(UUID(int=0), criteria)
    except ApiRefusedError as error:
        if error.problem.status == NOT_VALID:
            raise wrong_criteria(path, error) from error
        if error.problem.status != NOT_FOUND:
            raise
    return criteria


def wrong_criteria(path: Path, error: ApiRefusedError) -> WrongUseError:
    """Return the API's refusal of criteria as an error of the file."""
    faults = "; ".join(f"{fault.where}: {fault.what}" for fault in error.problem.faults)
    return WrongUseError(f"{path}: {faults or error} (see: dryrun criteria)")
