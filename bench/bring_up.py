"""How long until every service of a template is healthy: a session beside `docker compose up --wait`.

A session does more in that time: it proves its isolation from inside, and it writes down what it does.
The pairs are run in turn, so that both see the same machine. Run `make demo` once before.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from dryrun_cli.api.client import ApiClient, open_client
from dryrun_cli.api.reading import read_session
from dryrun_contract.event import Event, PhaseChanged
from dryrun_contract.session import Phase, SessionRequest
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import held
from dryrun_local.system.launch import running_system
from dryrun_local.terminal.timings import Timings

ROOT = Path(__file__).resolve().parents[1]
LIMIT = timedelta(seconds=120)


def override(template: Path, allowlist: Path) -> str:
    """Return a Compose file that grants what a session grants: the allowlist's sized tmpfs."""
    images = json.loads(allowlist.read_text())["images"]
    services = yaml.safe_load(template.read_text())["services"]
    return json.dumps({"services": {name: grants(images[each["image"]]) for name, each in services.items()}})


def grants(image: dict[str, Any]) -> dict[str, Any]:
    """Return the Compose keys of one allowlisted image."""
    mounts = [
        f"{path}:size={tmpfs['size']},mode={tmpfs['mode']},uid={tmpfs['uid']},gid={tmpfs['gid']}"
        for path, tmpfs in image["tmpfs"].items()
    ]
    return {"tmpfs": mounts, "read_only": image["read_only"], "mem_limit": "512m", "cpus": 0.5}


def compose(template: Path, allowlist: Path) -> float:
    """Return the seconds that Compose takes to bring the template up."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as extra:
        extra.write(override(template, allowlist))
        extra.flush()
        project = f"bench-{os.getpid()}"
        command = ["docker", "compose", "-p", project, "-f", str(template), "-f", extra.name]
        begin = time.monotonic()
        up = ["up", "--wait", "--detach", "--pull", "never"]
        try:
            subprocess.run([*command, *up], check=True, capture_output=True)
            return time.monotonic() - begin
        finally:
            subprocess.run([*command, "down", "--timeout", "2"], check=True, capture_output=True)


async def session(client: ApiClient, template: str) -> tuple[float, float]:
    """Return the seconds from the request to healthy, and those of them for the isolation proof."""
    begin = read_session(await client.start_session(SessionRequest(template=template)))
    events = await _until(client, begin.id, Phase.SCANNING)
    await client.stop_session(begin.id)
    await _until(client, begin.id, Phase.ENDED)
    at = {event.data.phase: event.at for event in events if isinstance(event.data, PhaseChanged)}
    network = next(event.at for event in events if event.data.type == "network_created")
    proof = next(event.at for event in events if event.data.type == "isolation_probed")
    healthy = at[Phase.SCANNING] - events[0].at
    return healthy.total_seconds(), (proof - network).total_seconds()


async def _until(client: ApiClient, session_id: UUID, phase: Phase) -> list[Event]:
    async with asyncio.timeout(LIMIT.total_seconds()):
        while True:
            events = [Event.model_validate(event) async for event in client.events(session_id)]
            if any(isinstance(event.data, PhaseChanged) and event.data.phase is phase for event in events):
                return events
            await asyncio.sleep(0.1)


async def main() -> None:
    """Run the pairs and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--template", default="small")
    parser.add_argument("--pairs", type=int, default=10)
    wanted = parser.parse_args()
    installation = Installation.here()
    rows = []
    template = ROOT / "templates" / f"{wanted.template}.yml"
    with held(installation):
        async with (
            running_system(installation, timings=Timings(), prepare_images=_nothing) as system,
            open_client(system.client_settings()) as client,
        ):
            for pair in range(wanted.pairs + 1):
                ours, proof = await session(client, wanted.template)
                theirs = await asyncio.to_thread(compose, template, installation.allowlist)
                if pair:  # the first pair warms caches
                    rows.append((ours, proof, theirs))
    print(f"{wanted.template}, {wanted.pairs} pairs      median    min    max")
    for name, values in (
        ("session until healthy, s", [row[0] for row in rows]),
        ("  of it the isolation proof, s", [row[1] for row in rows]),
        ("docker compose up --wait, s", [row[2] for row in rows]),
        ("ratio, pair by pair", [row[0] / row[2] for row in rows]),
    ):
        print(f"{name:32} {statistics.median(values):6.2f} {min(values):6.2f} {max(values):6.2f}")


async def _nothing() -> None:
    return


if __name__ == "__main__":
    asyncio.run(main())
