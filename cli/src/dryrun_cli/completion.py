"""Completes template and session ids from the API, quickly or not at all."""

import os
import re
from typing import Final

SECONDS: Final = 1.5
_SAFE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
"""Shells evaluate completions: only text without meaning to a shell is offered, and no description."""


def complete_template(incomplete: str) -> list[str]:
    """Return the template ids that begin with `incomplete`; none when the API does not answer in time."""
    return _complete("templates", incomplete)


def complete_session(incomplete: str) -> list[str]:
    """Return `last` and the session ids that begin with `incomplete`, newest first."""
    last = ["last"] if "last".startswith(incomplete) else []
    return last + _complete("sessions", incomplete)


def _complete(what: str, incomplete: str) -> list[str]:
    import asyncio

    try:
        found = asyncio.run(_ids(what))
    except Exception:  # noqa: BLE001  # a completion cannot report an error: it offers nothing
        return []
    return [name for name in found if name.startswith(incomplete) and _SAFE.fullmatch(name)]


async def _ids(what: str) -> list[str]:
    import asyncio

    from dryrun_cli.api.client import open_client
    from dryrun_cli.api.reading import read_template
    from dryrun_cli.api.session_ids import newest_sessions
    from dryrun_cli.api.settings import read_settings

    async with asyncio.timeout(SECONDS), open_client(read_settings(os.environ)) as client:
        if what == "templates":
            return [template.id for template in map(read_template, await client.templates())]
        return [str(session.id) for session in await newest_sessions(client, 100)]
