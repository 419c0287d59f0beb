"""`dryrun forecast`, `checks`, `trend` and `retention`, of many sessions together: declarations only."""

from typing import Annotated

import typer

from dryrun_cli import commands, completion
from dryrun_cli.invocation import Common
from dryrun_cli.options import CommandGroup, Running

figures_app = CommandGroup()


@figures_app.command()
def forecast(
    common: Common,
    sessions: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Session ids, their beginnings, or 'last'; 'last' by default."),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", metavar="ID", help="All measured sessions of an experiment.")
    ] = None,
    arm: Annotated[
        str | None, typer.Option("--arm", metavar="NAME", help="Its arm; the baseline by default.")
    ] = None,
) -> Running:
    """Forecast the real network that templates stand for, from several sessions together."""
    if sessions and experiment is not None:
        raise typer.BadParameter("name sessions or an experiment, not both", param_hint="'--experiment'")
    return commands.forecasts.forecast(common, sessions or ["last"], experiment=experiment, arm=arm)


@figures_app.command()
def checks(
    common: Common,
    remove: Annotated[
        str | None,
        typer.Option(
            "--remove", metavar="ID", help="Delete the check with this id, or this beginning of one."
        ),
    ] = None,
) -> Running:
    """Show how well forecasts of real networks agreed with production."""
    if remove is not None:
        return commands.forecasts.remove_check(common, remove)
    return commands.forecasts.list_checks(common)


@figures_app.command()
def trend(
    common: Common,
    template: Annotated[
        str | None,
        typer.Argument(metavar="TEMPLATE", help="Template id.", autocompletion=completion.complete_template),
    ] = None,
    collector: Annotated[
        str | None, typer.Option("--collector", metavar="NAME", help="This collector's own figures.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option("--schedule", metavar="ID", help="Show the runs of this schedule instead.")
    ] = None,
) -> Running:
    """Show what sessions of a template measured over time, and where a collector's image changed."""
    if (template is None) == (schedule is None):
        raise typer.BadParameter("name a template or a schedule", param_hint="'TEMPLATE', '--schedule'")
    return commands.trends.show(common, template=template, collector=collector, schedule=schedule)


@figures_app.command()
def retention(common: Common) -> Running:
    """Show how long data is kept, and what was removed recently. Administrators only."""
    return commands.retention.show(common)
