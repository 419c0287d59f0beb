"""All services on this machine until Ctrl-C."""

import asyncio

from dryrun_cli.client import open_client
from dryrun_local import sessions
from dryrun_local.demo import image_preparation
from dryrun_local.installation import Installation
from dryrun_local.interruption import Interruption
from dryrun_local.lock import held
from dryrun_local.processes import end_leftovers
from dryrun_local.screen import Screen
from dryrun_local.services import Services, running_services
from dryrun_local.timings import Timings


async def up(installation: Installation, screen: Screen, timings: Timings, interruption: Interruption) -> int:
    """Serve until a signal; sessions that run then are ended and cleaned up first. Returns 0."""
    with held(installation):
        for name in await end_leftovers(installation):
            screen.note("Ended what an earlier run had left:", name)
        try:
            async with running_services(
                installation, timings=timings, prepare_images=image_preparation(installation, screen)
            ) as services:
                await services.beside(_serve(services, screen, timings))
        except asyncio.CancelledError:
            if interruption.number is None:
                raise
        screen.done("All services have ended")
        # Ctrl-C is how this command ends: that is no failure.
        interruption.number = None
        return 0


async def _serve(services: Services, screen: Screen, timings: Timings) -> None:
    screen.done("All services run", f"{timings.seconds():.1f} s")
    link = await services.first_link()
    first = (
        "",
        "  Nobody can sign in yet. By this link the first administrator chooses a password, once:",
        f"    {link}",
    )
    for line in (
        "",
        f"  approval API   {services.api_url}",
        f"  description    {services.api_url}/openapi.json",
        f"  token          in {services.api_token_file}",
        *(first if link else ()),
        "",
        "  In another terminal:",
        f"    {services.client_exports()}",
        "    .venv/bin/dryrun templates",
        "    .venv/bin/dryrun start small --watch",
        "",
        "  Ctrl-C ends the sessions that run, then the services.",
        "",
    ):
        screen.say(line)
    try:
        if told := await services.sessions_lack():
            screen.warn("Sessions cannot start yet:", told)
        await asyncio.get_running_loop().create_future()
    finally:
        async with open_client(services.client_settings()) as client:
            await sessions.end_all(client, screen)
