"""`dryrun schedule`: declarations only."""

from pathlib import Path
from typing import Annotated

import typer

from dryrun_cli.options import ApiUrlOption, JsonOption, common_options, run
from dryrun_cli.whole_help import WholeHelpGroup

schedule_app = typer.Typer(
    cls=WholeHelpGroup, help="Repeat an experiment at set times.", no_args_is_help=True, rich_markup_mode=None
)
ScheduleArgument = Annotated[str, typer.Argument(metavar="ID", help="Schedule id, or its beginning.")]


@schedule_app.command("add")
def add_schedule(
    context: typer.Context,
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
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Repeat an experiment at the times of a cron expression."""
    from dryrun_cli.commands import schedules

    run(schedules.add(common_options(context, json_output, api_url), file, cron, timezone))


@schedule_app.command("list")
def list_schedules(
    context: typer.Context, json_output: JsonOption = False, api_url: ApiUrlOption = None
) -> None:
    """List schedules, those that are due next first."""
    from dryrun_cli.commands import schedules

    run(schedules.list_all(common_options(context, json_output, api_url)))


@schedule_app.command("show")
def show_schedule(
    context: typer.Context,
    schedule: ScheduleArgument,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Show a schedule and the outcome of each run."""
    from dryrun_cli.commands import schedules

    run(schedules.show(common_options(context, json_output, api_url), schedule))


@schedule_app.command("pause")
def pause_schedule(
    context: typer.Context,
    schedule: ScheduleArgument,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Pause a schedule; what it has started continues."""
    from dryrun_cli.commands import schedules

    run(schedules.change(common_options(context, json_output, api_url), schedule, "pause"))


@schedule_app.command("resume")
def resume_schedule(
    context: typer.Context,
    schedule: ScheduleArgument,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Resume a paused schedule."""
    from dryrun_cli.commands import schedules

    run(schedules.change(common_options(context, json_output, api_url), schedule, "resume"))


@schedule_app.command("remove")
def remove_schedule(context: typer.Context, schedule: ScheduleArgument, api_url: ApiUrlOption = None) -> None:
    """Delete a schedule; its experiments stay."""
    from dryrun_cli.commands import schedules

    run(schedules.remove(common_options(context, False, api_url), schedule))
