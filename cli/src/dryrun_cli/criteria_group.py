"""`dryrun criteria`: declarations only."""

from pathlib import Path
from typing import Annotated

import typer

from dryrun_cli.options import ApiUrlOption, JsonOption, common_options, run
from dryrun_cli.whole_help import WholeHelpGroup

criteria_app = typer.Typer(
    cls=WholeHelpGroup,
    help="Print the default criteria, as a file to start from; store criteria by name.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of stored criteria.")]


@criteria_app.callback()
def show_default(
    context: typer.Context, json_output: JsonOption = False, api_url: ApiUrlOption = None
) -> None:
    """Print the default criteria, as a file to start from; or store, list and choose criteria by name."""
    common = common_options(context, json_output, api_url)
    context.obj = (common.json_output, common.api_url)
    if context.invoked_subcommand is None:
        from dryrun_cli.commands import criteria

        run(criteria.show_default(common))


@criteria_app.command("list")
def list_criteria(
    context: typer.Context, json_output: JsonOption = False, api_url: ApiUrlOption = None
) -> None:
    """List the stored criteria."""
    from dryrun_cli.commands import criteria

    run(criteria.list_sets(common_options(context, json_output, api_url)))


@criteria_app.command("show")
def show_criteria(
    context: typer.Context,
    name: NameArgument,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Print stored criteria, as a file."""
    from dryrun_cli.commands import criteria

    run(criteria.show_set(common_options(context, json_output, api_url), name))


@criteria_app.command("store")
def store_criteria(
    context: typer.Context,
    name: NameArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The criteria (YAML or JSON).")],
    default: Annotated[
        bool, typer.Option("--default", help="Judge new sessions by these unless they name others.")
    ] = False,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Store criteria, or replace those of that name. Sessions keep the criteria of their start."""
    from dryrun_cli.commands import criteria

    run(criteria.store(common_options(context, json_output, api_url), name, file, default=default))


@criteria_app.command("default")
def choose_default(
    context: typer.Context,
    name: NameArgument,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Judge new sessions by these criteria unless they name others; `built-in` are those of the version."""
    from dryrun_cli.commands import criteria

    run(criteria.choose_default(common_options(context, json_output, api_url), name))


@criteria_app.command("remove")
def remove_criteria(
    context: typer.Context,
    name: NameArgument,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Delete stored criteria; sessions keep the criteria that they were judged by."""
    from dryrun_cli.commands import criteria

    run(criteria.remove(common_options(context, json_output, api_url), name))
