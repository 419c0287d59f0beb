"""Ends sessions and waits for their cleanup, at the end of `demo` and `up`."""

import asyncio
from contextlib import aclosing
from uuid import UUID

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import read_session
from dryrun_cli.errors import CliError
from dryrun_contract.session import Phase, SessionView
from dryrun_local.terminal.screen import Screen

CLEANUP_SECONDS = 90.0
"""A graceful stop of 10 s, removal, and slack for a busy engine."""
_POLL_SECONDS = 0.3
_NEWEST = 100
"""Sessions last at most 30 minutes and few run at once: older ones have ended."""


async def unfinished(client: ApiClient) -> list[SessionView]:
    """Return those of the newest sessions that have not ended. Raises CliError."""
    found = []
    async with aclosing(client.sessions()) as answers:
        seen = 0
        async for answer in answers:
            session = read_session(answer)
            if session.phase != Phase.ENDED:
                found.append(session)
            seen += 1
            if seen >= _NEWEST:
                break
    return found


async def stop_earlier(client: ApiClient, screen: Screen) -> None:
    """Stop the sessions that an earlier run left. Raises CliError."""
    for earlier in await unfinished(client):
        screen.note(f"Cleaning up session {earlier.id} of an earlier run")
        await client.stop_session(earlier.id)


async def end_all(client: ApiClient, screen: Screen) -> None:
    """Stop every session and wait for its cleanup. Prints what cannot be ended; raises nothing."""
    try:
        async with asyncio.timeout(CLEANUP_SECONDS):
            await _end_all(client, screen)
    except TimeoutError:
        screen.warn(
            f"A session was not cleaned up within {CLEANUP_SECONDS:.0f} s",
            "the next `dryrun-local demo` or `up` continues; `dryrun-local doctor` shows what is left",
        )
    except CliError as error:
        screen.warn("Sessions could not be ended", str(error))


async def _end_all(client: ApiClient, screen: Screen) -> None:
    sessions = await unfinished(client)
    for session in sessions:
        screen.note_to_nobody(f"Ending session {session.id}")
        await client.stop_session(session.id)
    with screen.busy("Waiting for its cleanup"):
        for session in sessions:
            await _ended(client, session.id)


async def _ended(client: ApiClient, session_id: UUID) -> None:
    while True:
        session = read_session(await client.session(session_id))
        if session.phase == Phase.ENDED:
            return
        await asyncio.sleep(_POLL_SECONDS)
