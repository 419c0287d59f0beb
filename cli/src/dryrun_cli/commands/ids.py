"""Finds a thing by its id, by an unambiguous beginning of it, or by its name.

What can be no id or name, or begins several ids, is a wrong use; what nothing has is refused as by the API.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import read_template
from dryrun_cli.api.session_ids import BEGINNING
from dryrun_cli.errors import WrongUseError, nothing_named
from dryrun_contract.scan_choice import COLLECTOR_NAME
from dryrun_contract.template import TEMPLATE_ID

_SHOWN: Final = 80
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""Names of rules and destinations, and their ids."""


async def find_id(
    text: str,
    list_ids: Callable[[], Awaitable[Sequence[UUID]]],
    kind: str,
    kinds: str,
    *,
    see: str | None = None,
    least: int = 1,
) -> UUID:
    """Return the id that `text` is, or begins among those listed.

    `kind` is what people call one of them; `see` is the command that lists them, and `least` the fewest
    characters of a beginning. Raises WrongUseError for what is no id or begins several, ApiRefusedError for
    what none has.
    """
    wanted, listed = text.strip().lower(), see or f"{kind} list"
    with suppress(ValueError):
        return UUID(wanted)
    given = repr(text[:_SHOWN])
    if not BEGINNING.fullmatch(wanted) or len(wanted) < least:
        article = "an" if kind[0] in "aeiou" else "a"
        characters = f" of {least} characters or more" if least > 1 else ""
        raise WrongUseError(
            f"{given} is not the id of {article} {kind}; give an id, or its beginning{characters} "
            f"(see: dryrun {listed})"
        )
    found = [each for each in await list_ids() if str(each).startswith(wanted)]
    if len(found) > 1:
        raise WrongUseError(
            f"{len(found)} {kinds} have an id that begins with {given}; give more of the id "
            f"(see: dryrun {listed})"
        )
    if not found:
        raise nothing_named(kind, f"no {kind} has an id that begins with {given}", listed)
    return found[0]


def checked_name(text: str, kind: str) -> str:
    """Return the name or the id of a `kind`. Raises WrongUseError for what can be neither."""
    if not _NAME.fullmatch(text):
        raise WrongUseError(f"{text[:_SHOWN]!r} is not the name of a {kind}; see: dryrun {kind} list")
    return text


def checked_template(text: str) -> str:
    """Return a template's id. Raises WrongUseError for what can be none."""
    if not re.fullmatch(TEMPLATE_ID, text):
        raise WrongUseError(
            f"{text[:_SHOWN]!r} is not a template id (small letters, digits, hyphens); see: dryrun templates"
        )
    return text


def checked_collector(text: str) -> str:
    """Return a collector's name. Raises WrongUseError for what can be none."""
    if not re.fullmatch(COLLECTOR_NAME, text):
        raise WrongUseError(
            f"{text[:_SHOWN]!r} is not a collector's name (small letters, digits, hyphens); "
            "see: dryrun templates"
        )
    return text


async def require_template(client: ApiClient, template: str, collector: str | None = None) -> None:
    """Raise ApiRefusedError unless a template of this id is installed, and scanned by this collector.

    For answers that are empty: sessions of a template that was removed still have some.
    """
    listed = [read_template(each) for each in await client.templates()]
    installed = [each for each in listed if each.id == template]
    if not installed:
        raise nothing_named("template", f"there is no template {template}", "templates")
    if collector is not None and not any(collector in each.collectors for each in installed):
        raise nothing_named(
            "collector",
            f"no collector {collector} scans {template} or has scored sessions of it",
            "templates",
        )
