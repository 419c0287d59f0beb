"""Runs all services on this machine until Ctrl-C."""

import asyncio
import os
import shlex
from collections.abc import Mapping
from functools import partial

from dryrun_cli.api.client import open_client
from dryrun_contract.text import printable
from dryrun_local.images.commands import prepare
from dryrun_local.machine.added_folders import keep_gathered
from dryrun_local.machine.installation import Installation
from dryrun_local.runs import sessions
from dryrun_local.system.launch import FIRST_ADMINISTRATOR, System, running_system, sole_run
from dryrun_local.system.service_settings import not_taken
from dryrun_local.terminal.interruption import Interruption
from dryrun_local.terminal.screen import Screen
from dryrun_local.terminal.timings import Timings


async def up(
    installation: Installation, screen: Screen, timings: Timings, interruption: Interruption
) -> None:
    """Serve until a signal arrives; then end running sessions, clean up, stop the services."""
    async with sole_run(installation, screen):
        if names := not_taken(os.environ):
            screen.note("Ignored, since this command sets them itself:", ", ".join(names))
        try:
            async with running_system(
                installation,
                timings=timings,
                prepare_images=partial(prepare, installation, screen),
                deliver=True,
            ) as system:
                gathering = asyncio.create_task(keep_gathered(installation, screen.note))
                try:
                    await system.beside(_serve(installation, system, screen, timings))
                finally:
                    gathering.cancel()
                    await asyncio.gather(gathering, return_exceptions=True)
        except asyncio.CancelledError:
            if interruption.number is None:
                raise
        screen.done("All services have stopped")
        # Ctrl-C is the usual end of this command, not a failure.
        interruption.number = None


def _destinations(environ: Mapping[str, str]) -> str:
    hosts = environ.get("DELIVERY_HOSTS") or environ.get("DELIVERY_HOSTS_FILE")
    if hosts:
        return f"and notifications go to {printable(hosts, limit=200)}"
    return "and notifications are off: DELIVERY_HOSTS is not set"


async def _serve(installation: Installation, system: System, screen: Screen, timings: Timings) -> None:
    dryrun = shlex.quote(str(installation.program("dryrun")))
    screen.done("All services are running", f"{timings.seconds():.1f} s")
    link = await system.first_link()
    first = (
        "",
        "  Nobody can sign in yet. The first administrator chooses a password here, once,",
        f"  and signs in with the name {FIRST_ADMINISTRATOR}:",
        f"    {link}",
    )
    for line in (
        "",
        f"  approval API   {system.api_url}",
        f"  API schema     {system.api_url}/openapi.json",
        f"  token          in {system.api_token_file}",
        "                 (it starts dry-runs; to report production: docs/production.md)",
        f"  deliveries     {_destinations(os.environ)}",
        *(first if link else ()),
        "",
        "  In another terminal:",
        *(f"    {line}" for line in system.client_exports()),
        f"    {dryrun} templates",
        f"    {dryrun} start small --watch",
        "",
        "  Ctrl-C ends running sessions, then stops the services.",
        "",
    ):
        screen.say(line)
    try:
        if missing := await system.missing_for_sessions():
            screen.warn("Sessions cannot start yet:", missing)
        await asyncio.get_running_loop().create_future()
    finally:
        async with open_client(system.client_settings()) as client:
            await sessions.end_all(client, screen)
