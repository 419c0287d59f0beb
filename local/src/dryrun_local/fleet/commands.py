"""The fleet commands: list the hosts, drain one, take it in again."""

import os
from pathlib import Path

from rich.table import Table
from rich.text import Text

from dryrun_cli.api.client import open_client
from dryrun_cli.api.settings import read_settings
from dryrun_local.fleet.drained_hosts import read, require_host, set_drained
from dryrun_local.fleet.emptying import look, wait_until_empty
from dryrun_local.terminal.screen import Screen


async def show(file: Path, screen: Screen) -> None:
    """List the hosts of a fleet file."""
    fleet = read(file)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("HOST", "GUARD", "CONTAINERS", "SESSIONS", "STATE", "LABELS"):
        table.add_column(title, justify="right" if title in ("CONTAINERS", "SESSIONS") else "left")
    for host in fleet.hosts.values():
        is_drained = host.name in fleet.drained
        table.add_row(
            Text(f"{host.name} (manager)" if host.name in fleet.managers else host.name),
            Text(host.guard),
            Text(str(host.containers)),
            Text(str(host.sessions)),
            Text("drained", "yellow") if is_drained else Text("in use", "green"),
            Text(" ".join(f"{key}={value}" for key, value in host.labels.items())),
        )
    screen.console.print(table)


async def drain(file: Path, host: str, screen: Screen, *, minutes: int | None = None) -> None:
    """Let a host take no new session, and wait so many minutes at most until it is empty."""
    if minutes is None:
        _drain(file, host, screen)
        return
    async with open_client(read_settings(os.environ)) as client:
        # Whether it can be waited at all is known before the file is changed.
        require_host(read(file), file, host)
        await look(client, host)
        _drain(file, host, screen)
        with screen.busy(f"Waiting until {host} is empty") as work:
            await wait_until_empty(client, host, minutes, work)
    screen.done(f"{host} is empty:", "no session and no container of one is left there")


def _drain(file: Path, host: str, screen: Screen) -> None:
    fleet, changed = set_drained(file, host, drained=True)
    if not changed:
        screen.note(f"{host} is already drained")
        return
    screen.done(f"{host} is drained:", "in a few seconds it gets no new session")
    screen.note("Its sessions run to their end, 30 minutes at most. Those that remain are in")
    screen.say(f'  the overview, /readyz and dryrun_host_sessions{{host="{host}"}}')
    if fleet.managers == (host,):
        screen.note(f"{host} is the manager:", "sessions across other hosts still need its engine and guard")
    elif host in fleet.managers:
        screen.note(f"{host} is a manager:", "the swarm needs more than half of them to answer")
    if fleet.drained >= fleet.hosts.keys():
        screen.warn("Every host is drained:", "sessions wait until one is not")


async def undrain(file: Path, host: str, screen: Screen) -> None:
    """Let a host take sessions again."""
    _, changed = set_drained(file, host, drained=False)
    if changed:
        screen.done(f"{host} takes sessions again", "within seconds")
    else:
        screen.note(f"{host} is not drained")
