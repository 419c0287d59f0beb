"""`dryrun forecast`, `checks`, `trend` and `retention`, of many sessions together: declarations only."""

from typing import Annotated

import typer

from dryrun_cli import completion
from dryrun_cli.options import ApiUrlOption, JsonOption, common_options, run
from dryrun_cli.whole_help import WholeHelpGroup

figures_app = typer.Typer(cls=WholeHelpGroup, rich_markup_mode=None)


@figures_app.command()
def forecast(
    context: typer.Context,
    sessions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...", help="Session ids, their beginnings, or 'last'; 'last' by default."
        ),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", metavar="ID", help="All measured sessions of an experiment.")
    ] = None,
    arm: Annotated[
        str | None, typer.Option("--arm", metavar="NAME", help="Its arm; the baseline by default.")
    ] = None,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Forecast the real network that templates stand for, from several sessions together."""
    from dryrun_cli.commands import forecasts

    if sessions and experiment is not None:
        raise typer.BadParameter("name sessions or an experiment, not both", param_hint="'--experiment'")
    common = common_options(context, json_output, api_url)
    run(forecasts.forecast(common, sessions or ["last"], experiment=experiment, arm=arm))


@figures_app.command()
def checks(
    context: typer.Context,
    remove: Annotated[
        str | None,
        typer.Option("--remove", metavar="ID", help="Delete this check, or the one whose id begins so."),
    ] = None,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Show how well forecasts of real networks agreed with production."""
    from dryrun_cli.commands import forecasts

    if remove is not None:
        run(forecasts.remove_check(common_options(context, json_output, api_url), remove))
    run(forecasts.list_checks(common_options(context, json_output, api_url)))


@figures_app.command()
def trend(
    context: typer.Context,
    template: Annotated[
        str | None,
        typer.Argument(metavar="TEMPLATE", help="Template id.", autocompletion=completion.complete_template),
    ] = None,
    collector: Annotated[
        str | None, typer.Option("--collector", metavar="NAME", help="This collector's own figures.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option("--schedule", metavar="ID", help="A schedule's times instead.")
    ] = None,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Show what sessions of a template measured over time, and where a collector's image changed."""
    from dryrun_cli.commands import trends

    if (template is None) == (schedule is None):
        raise typer.BadParameter("name a template or a schedule", param_hint="'TEMPLATE', '--schedule'")
    common = common_options(context, json_output, api_url)
    run(trends.show(common, template=template, collector=collector, schedule=schedule))


@figures_app.command()
def retention(context: typer.Context, json_output: JsonOption = False, api_url: ApiUrlOption = None) -> None:
    """Show how long data is kept, and what was removed recently. Administrators only."""
    from dryrun_cli.commands import retention as retention_commands

    run(retention_commands.show(common_options(context, json_output, api_url)))
