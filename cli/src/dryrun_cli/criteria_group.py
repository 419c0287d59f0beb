"""`dryrun criteria`: declarations only."""

from pathlib import Path
from typing import Annotated

import typer

from dryrun_cli import commands
from dryrun_cli.invocation import Common
from dryrun_cli.options import ApiUrlOption, CommandGroup, JsonOption, Running, run

criteria_app = CommandGroup(
    "Print the default criteria, as a file to start from; store criteria by name.",
    invoke_without_command=True,
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of stored criteria.")]


@criteria_app.callback()
def show_default(
    context: typer.Context, json_output: JsonOption = False, api_url: ApiUrlOption = None
) -> None:
    """Print the default criteria, as a file to start from; or store, list and choose criteria by name."""
    context.obj = Common(json_output, api_url).or_else(context.obj)
    if context.invoked_subcommand is None:
        run(commands.criteria.show_default(context.obj))


@criteria_app.command("list")
def list_criteria(common: Common) -> Running:
    """List the stored criteria."""
    return commands.criteria.list_sets(common)


@criteria_app.command("show")
def show_criteria(common: Common, name: NameArgument) -> Running:
    """Print stored criteria, as a file."""
    return commands.criteria.show_set(common, name)


@criteria_app.command("store")
def store_criteria(
    common: Common,
    name: NameArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The criteria (YAML or JSON).")],
    default: Annotated[
        bool, typer.Option("--default", help="Judge new sessions by these unless they name others.")
    ] = False,
) -> Running:
    """Store criteria, or replace those of that name. Sessions keep the criteria of their start."""
    return commands.criteria.store(common, name, file, default=default)


@criteria_app.command("default")
def choose_default(common: Common, name: NameArgument) -> Running:
    """Judge new sessions by these criteria unless they name others.

    `built-in` names this version's own criteria.
    """
    return commands.criteria.choose_default(common, name)


@criteria_app.command("remove")
def remove_criteria(common: Common, name: NameArgument) -> Running:
    """Delete stored criteria; sessions keep the criteria that they were judged by."""
    return commands.criteria.remove(common, name)
