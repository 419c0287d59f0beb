"""`dryrun schedule`: declarations only."""

from pathlib import Path
from typing import Annotated

import typer

from dryrun_cli import commands
from dryrun_cli.invocation import Common
from dryrun_cli.options import CommandGroup, Running

schedule_app = CommandGroup("Repeat an experiment at set times.", no_args_is_help=True)
ScheduleArgument = Annotated[str, typer.Argument(metavar="ID", help="Schedule id, or its beginning.")]


@schedule_app.command("add")
def add_schedule(
    common: Common,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The experiment to repeat (YAML or JSON).")],
    cron: Annotated[
        str,
        typer.Option(
            "--cron", metavar="EXPRESSION", help="Minute hour day month weekday, e.g. '30 2 * * 1-5'."
        ),
    ],
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="NAME", help="IANA time zone, e.g. Europe/Berlin.")
    ] = "UTC",
) -> Running:
    """Repeat an experiment at the times of a cron expression."""
    return commands.schedules.add(common, file, cron, timezone)


@schedule_app.command("list")
def list_schedules(common: Common) -> Running:
    """List schedules, those that are due next first."""
    return commands.schedules.list_all(common)


@schedule_app.command("show")
def show_schedule(common: Common, schedule: ScheduleArgument) -> Running:
    """Show a schedule and the outcome of each run."""
    return commands.schedules.show(common, schedule)


@schedule_app.command("pause")
def pause_schedule(common: Common, schedule: ScheduleArgument) -> Running:
    """Pause a schedule; what it has started continues."""
    return commands.schedules.change(common, schedule, "pause")


@schedule_app.command("resume")
def resume_schedule(common: Common, schedule: ScheduleArgument) -> Running:
    """Resume a paused schedule."""
    return commands.schedules.change(common, schedule, "resume")


@schedule_app.command("remove")
def remove_schedule(common: Common, schedule: ScheduleArgument) -> Running:
    """Delete a schedule; its experiments stay."""
    return commands.schedules.remove(common, schedule)
