"""From click to decision page, cleanup included: whole sessions, beside plain nmap on the same targets.

A session is started, has ended, and its report is fetched as the page that people decide by. Then the same
template is kept up once, and plain nmap (`discovery/test-collector-nmap`) scans the same targets, with the
limits that collectors have. Run `make demo` once before.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import time
from datetime import timedelta
from uuid import UUID

from dryrun_cli.api.client import ApiClient, open_client
from dryrun_cli.api.reading import read_session
from dryrun_contract.event import Event
from dryrun_contract.session import Phase, SessionRequest
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import held
from dryrun_local.system.launch import running_system
from dryrun_local.terminal.timings import Timings

LIMIT = timedelta(minutes=10)
NMAP = "discovery/test-collector-nmap:7.95"


async def decision(client: ApiClient, template: str) -> float:
    """Return the seconds from the request to the page."""
    begin = time.monotonic()
    session = read_session(await client.start_session(SessionRequest(template=template)))
    await until(client, session.id, Phase.ENDED)
    await client.written_report(session.id, "html")
    return time.monotonic() - begin


async def plain_nmap(client: ApiClient, installation: Installation, template: str) -> float:
    """Return the seconds that nmap alone needs for the targets of a session that is kept up."""
    session = read_session(await client.start_session(SessionRequest(template=template, keep=True)))
    try:
        events = await until(client, session.id, Phase.KEPT)
        (network,) = (event.data for event in events if event.data.type == "network_created")
        image = json.loads(installation.allowlist.read_text())["images"][NMAP]["id"]
        command = ["docker", "run", "--rm", "--network", network.name, "--cap-drop=ALL", "--cap-add=NET_RAW"]
        command += ["--cpus=0.5", "--memory=512m", "--read-only", image, "-n", "-sV", network.subnet]
        begin = time.monotonic()
        await asyncio.to_thread(
            subprocess.run, command, check=True, capture_output=True, timeout=LIMIT.total_seconds()
        )
        return time.monotonic() - begin
    finally:
        await client.stop_session(session.id)
        await until(client, session.id, Phase.ENDED)


async def until(client: ApiClient, session_id: UUID, phase: Phase) -> list[Event]:
    """Return all events once the session has been in `phase`."""
    async with asyncio.timeout(LIMIT.total_seconds()):
        while True:
            events = [Event.model_validate(event) async for event in client.events(session_id)]
            if any(event.data.type == "phase_changed" and event.data.phase is phase for event in events):
                return events
            await asyncio.sleep(0.2)


async def main() -> None:
    """Run the sessions and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--templates", nargs="+", default=["small", "large"])
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    installation = Installation.here()
    print("| template | click to decision page, s | plain nmap -sV, s |\n|---|---|---|")
    with held(installation):
        async with (
            running_system(installation, timings=Timings(), prepare_images=_nothing) as system,
            open_client(system.client_settings()) as client,
        ):
            for template in wanted.templates:
                ours, theirs = [], []
                for _ in range(wanted.rounds):
                    ours.append(await decision(client, template))
                    theirs.append(await plain_nmap(client, installation, template))
                cells = (
                    f"{statistics.median(each):.1f} ({min(each):.1f} to {max(each):.1f})"
                    for each in (ours, theirs)
                )
                print(f"| {template} | {' | '.join(cells)} |", flush=True)


async def _nothing() -> None:
    return


if __name__ == "__main__":
    asyncio.run(main())
