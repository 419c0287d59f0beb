"""Waits until a drained host holds nothing more, as the approval API sees it: then its engine may stop."""

import asyncio
import time
from typing import Final

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import read_word
from dryrun_cli.errors import ApiRefusedError, ApiUnreachableError
from dryrun_contract.fleet import Fleet, FleetHost
from dryrun_contract.text import counted, printable
from dryrun_local.machine.errors import LocalError
from dryrun_local.terminal.long_work import LongWork

LOOK_SECONDS: Final = 2.0


async def look(client: ApiClient, host: str) -> FleetHost:
    """Return what a host holds now. Raises CliError; LocalError where the orchestrator has no such host."""
    fleet = read_word(Fleet, await client.ask("GET", "/dryrun/hosts"), "a fleet")
    found = next((each for each in fleet.hosts if each.name == host), None)
    if found is None:
        known = ", ".join(each.name for each in fleet.hosts) or "none"
        raise LocalError(
            f"the orchestrator of {client.url} has no host {printable(host)}; its hosts: {known}. If it has "
            "another fleet file, name that one, or the API of this one by DRYRUN_API_URL"
        )
    return found


async def wait_until_empty(client: ApiClient, host: str, minutes: int, work: LongWork) -> None:
    """Wait until a host is drained and holds neither a session nor a container of one.

    An API that does not answer, or is asked too often, is asked again. Raises LocalError when the time is up,
    and says what is left; ApiRefusedError for another refusal.
    """
    until = time.monotonic() + 60 * minutes
    while True:
        try:
            found = await look(client, host)
        except ApiUnreachableError as error:
            work.now = str(error)
        except ApiRefusedError as error:
            if not error.is_of_the_moment:
                raise
            work.now = str(error)
        else:
            if found.drained and not found.sessions and not found.containers:
                return
            work.now = _held(found)
        if time.monotonic() >= until:
            raise LocalError(
                f"{host} stays drained. After {counted(minutes, 'minute')}: {work.now}. Run the command "
                "again to go on waiting; dryrun stop ID ends a session"
            )
        await asyncio.sleep(min(LOOK_SECONDS, max(0.0, until - time.monotonic())))


def _held(host: FleetHost) -> str:
    if not host.drained:
        return "the orchestrator has not read yet that it is drained"
    if not host.sessions:
        return (
            f"no session on it; what was prepared there is being removed, {counted(host.containers, 'place')}"
        )
    return f"{counted(len(host.sessions), 'session')} on it: {', '.join(map(str, host.sessions))}"
