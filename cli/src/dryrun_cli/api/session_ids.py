"""Finds a session by its id, by an unambiguous beginning of its id, or by `last`."""

import re
from contextlib import aclosing
from typing import Final
from uuid import UUID

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import ListedSession, read_word
from dryrun_cli.errors import WrongUseError, nothing_named

LAST: Final = "last"
SHORT_LENGTH: Final = 8
SEARCHED: Final = 2000
"""A beginning is matched against this many of the newest sessions."""
BEGINNING: Final = re.compile(r"[0-9a-f]{1,8}|[0-9a-f-]{9,36}")
"""The beginning of an id."""


def short(session_id: UUID) -> str:
    """Return the first eight digits, enough for people to tell sessions apart."""
    return str(session_id)[:SHORT_LENGTH]


async def newest_sessions(client: ApiClient, most: int) -> list[ListedSession]:
    """Return up to `most` sessions, newest first."""
    found: list[ListedSession] = []
    async with aclosing(client.sessions()) as sessions:
        async for session in sessions:
            found.append(read_word(ListedSession, session, "a session"))
            if len(found) == most:
                break
    return found


async def find_session_id(client: ApiClient, text: str) -> UUID:
    """Return the session id that `text` stands for.

    Raises WrongUseError when `text` is not an id or matches several, ApiRefusedError when it matches none.
    """
    wanted = text.strip().lower()
    try:
        return UUID(wanted)
    except ValueError:
        pass
    if wanted != LAST and not BEGINNING.fullmatch(wanted):
        raise WrongUseError(
            f"{text!r} is not a session id; give an id, its beginning, or {LAST!r} (see: dryrun list)"
        )
    if wanted == LAST:
        found = [session.id for session in await newest_sessions(client, 1)]
    else:
        among = await newest_sessions(client, SEARCHED)
        found = [session.id for session in among if str(session.id).startswith(wanted)]
    if len(found) > 1:
        matches = ", ".join(str(session_id) for session_id in found[:5])
        raise WrongUseError(f"{text!r} matches {len(found)} sessions ({matches}); give more of the id")
    if not found:
        detail = "there is no session yet" if wanted == LAST else f"no session's id begins with {wanted!r}"
        raise nothing_named("session", detail, "list")
    return found[0]
