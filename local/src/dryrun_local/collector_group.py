"""The commands `dryrun-local collector`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from dryrun_local.command_line import AddOption, Here, group, run_work

app = group("Add someone else's scanner, whose image is on this machine.")


@app.command("add")
def add_collector(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="An image that is on this machine.")],
    manifest: Annotated[
        Path,
        typer.Option("--manifest", metavar="FILE", help="How it is called, and what it claims."),
    ],
    tmpfs: Annotated[
        list[str] | None,
        typer.Option(
            "--tmpfs",
            metavar="PATH=SIZE",
            help="A writable folder in memory; the root file system is read-only.",
        ),
    ] = None,
    trial: Annotated[bool, typer.Option(help="Run it once on a network of three machines.")] = True,
    add: AddOption = None,
) -> None:
    """Check the image against the rules, tag, pin and install it, and run a trial.

    Exit codes: 0 installed, and its trial was complete; 1 refused, with every fault and how to fix it, or
    the trial was not complete.
    """
    from dryrun_local.runs.trial import add_and_try

    mounts = tuple(tmpfs or ())
    run_work(
        lambda here: add_and_try(
            here.installation,
            here.screen,
            here.interruption,
            image=image,
            manifest=manifest,
            tmpfs=mounts,
            trial=trial,
        ),
        add=add,
    )


@app.command("remove")
def remove_collector(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its manifest's name.")],
) -> None:
    """Uninstall a scanner that was added; its image stays in the engine."""
    from dryrun_local.runs.trial import remove

    run_work(lambda here: remove(here.installation, here.screen, name))


@app.command("command")
def show_production_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its manifest's name.")],
    rehearsed: Annotated[
        Path, typer.Option("--rehearsed", metavar="REPORT", help="The session's report as JSON.")
    ],
    targets: Annotated[str, typer.Option("--targets", metavar="CIDR", help="The network to scan.")],
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="ADDRESS", help="Address not to scan; may be given several times."),
    ] = None,
    max_rate: Annotated[
        int | None, typer.Option("--max-rate", metavar="N", min=1, help="Packets per second, if chosen.")
    ] = None,
    add: AddOption = None,
) -> None:
    """Print the docker command of a production run that is exactly what a report rehearsed.

    Exit codes: 0 it is printed, and nothing was run; 1 the report does not cover it, with every difference.
    """
    from dryrun_local.collectors.production import production_command

    async def work(here: Here) -> int:
        command = production_command(
            here.installation, name, rehearsed, targets=targets, exclude=exclude or (), max_rate=max_rate
        )
        sys.stdout.write(f"{command}\n")
        return 0

    run_work(work, add=add, to_error=True)
