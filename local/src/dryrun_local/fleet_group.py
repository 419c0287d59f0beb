"""The commands `dryrun-local fleet`."""

from pathlib import Path
from typing import Annotated

import typer

from dryrun_local.command_line import group, run_work

app = group("List the hosts of a fleet, and drain them for maintenance.")

HostArgument = Annotated[str, typer.Argument(metavar="HOST", help="Its name in the fleet file.")]
FileOption = Annotated[
    Path, typer.Option("--file", metavar="FILE", envvar="ORCHESTRATOR_FLEET", help="The fleet file.")
]


@app.command("list")
def list_hosts(file: FileOption) -> None:
    """List the hosts of the fleet file with what sessions may use of each."""
    from dryrun_local.fleet.commands import show

    run_work(lambda here: show(file, here.screen))


@app.command("drain")
def drain_host(
    host: HostArgument,
    file: FileOption,
    wait: Annotated[
        int | None,
        typer.Option(
            "--wait",
            metavar="MINUTES",
            min=1,
            max=1440,
            help="Wait until the host is empty, so many minutes at most; asks the API of DRYRUN_API_URL with "
            "the token of DRYRUN_API_TOKEN (or DRYRUN_API_TOKEN_FILE), scope read.",
        ),
    ] = None,
) -> None:
    """Place no new session on a host; those on it run to their end, 30 minutes at most.

    Changes `drained` in the file, which the orchestrator reads again within seconds.
    """
    from dryrun_local.fleet.commands import drain

    run_work(lambda here: drain(file, host, here.screen, minutes=wait))


@app.command("undrain")
def undrain_host(host: HostArgument, file: FileOption) -> None:
    """Let a drained host take sessions again."""
    from dryrun_local.fleet.commands import undrain

    run_work(lambda here: undrain(file, host, here.screen))
