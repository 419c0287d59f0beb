"""Reads a criteria file; the API checks which criteria exist."""

from pathlib import Path
from typing import Final
from uuid import UUID

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import JsonObject
from dryrun_cli.commands.yaml_file import read_mapping
from dryrun_cli.errors import ApiRefusedError, WrongUseError

NOT_FOUND: Final = 404
NOT_VALID: Final = 422


def read_criteria(path: Path) -> JsonObject:
    """Return the mapping in a YAML or JSON file. Raises WrongUseError with path and place."""
    return read_mapping(path, "criteria", "expected NAME: LIMIT lines (see: dryrun criteria)")


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
    return WrongUseError(f"{path}: {'; '.join(error.faults) or error} (see: dryrun criteria)")
