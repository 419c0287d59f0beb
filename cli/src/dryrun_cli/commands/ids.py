"""Finds a thing by its id, or by an unambiguous beginning of it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from uuid import UUID

from dryrun_cli.errors import WrongUseError


async def find_id(
    text: str, list_ids: Callable[[], Awaitable[Sequence[UUID]]], kind: str, kinds: str
) -> UUID:
    """Return the id that `text` is, or begins among those listed. Raises WrongUseError for none or several.

    `kind` is what people call one of them, and its group of commands.
    """
    wanted = text.strip().lower()
    with suppress(ValueError):
        return UUID(wanted)
    found = [each for each in await list_ids() if str(each).startswith(wanted)]
    if len(found) == 1 and wanted:
        return found[0]
    how_many = f"no {kind} has" if not found else f"{len(found)} {kinds} have"
    raise WrongUseError(f"{how_many} an id that begins with {text!r}; see: dryrun {kind} list")
