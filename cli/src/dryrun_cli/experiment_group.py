"""`dryrun experiment`: declarations only."""

from pathlib import Path
from typing import Annotated

import typer

from dryrun_cli.options import ApiUrlOption, JsonOption, SessionArgument, common_options, run
from dryrun_cli.whole_help import WholeHelpGroup

experiment_app = typer.Typer(
    cls=WholeHelpGroup,
    help="Compare ways to scan: collectors, profiles and rates, over templates, seeds and repetitions.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
ExperimentArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Experiment id, its beginning, or 'last'.")
]


@experiment_app.command("run")
def run_experiment(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to compare (YAML or JSON).")],
    watch_it: Annotated[
        bool,
        typer.Option("--watch/--no-watch", help="Wait for the results. Ctrl-C leaves it running."),
    ] = True,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Run an experiment, and show what it found."""
    from dryrun_cli.commands import experiments

    run(experiments.run(common_options(context, json_output, api_url), file, watch=watch_it))


@experiment_app.command("history")
def show_history(
    context: typer.Context,
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="The template that has the fact.")],
    kind: Annotated[str, typer.Argument(metavar="KIND", help="For example service.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="For example web:80/tcp.")],
    attribute: Annotated[
        str | None, typer.Option("--attribute", metavar="NAME", help="An attribute of it, such as version.")
    ] = None,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Show which versions of the collectors found a fact, and which did not."""
    from dryrun_cli.commands import experiments

    common = common_options(context, json_output, api_url)
    run(experiments.history(common, template, kind, key, attribute))


@experiment_app.command("list")
def list_experiments(
    context: typer.Context, json_output: JsonOption = False, api_url: ApiUrlOption = None
) -> None:
    """List experiments, newest first."""
    from dryrun_cli.commands import experiments

    run(experiments.list_newest(common_options(context, json_output, api_url)))


@experiment_app.command("show")
def show_experiment(
    context: typer.Context,
    experiment: ExperimentArgument = "last",
    watch_it: Annotated[bool, typer.Option("--watch", "-w", help="Wait until it has ended.")] = False,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Show an experiment's results so far."""
    from dryrun_cli.commands import experiments

    run(experiments.show(common_options(context, json_output, api_url), experiment, watch=watch_it))


@experiment_app.command("compare")
def compare_sessions(
    context: typer.Context,
    baseline: SessionArgument,
    session: Annotated[
        str, typer.Argument(metavar="SESSION", help="Session id, its beginning, or 'last'.")
    ] = "last",
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Show two sessions as an experiment of two arms."""
    from dryrun_cli.commands import experiments

    run(experiments.compare(common_options(context, json_output, api_url), baseline, session))


@experiment_app.command("stop")
def stop_experiment(
    context: typer.Context,
    experiment: ExperimentArgument,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Stop an experiment: none of its sessions starts any more."""
    from dryrun_cli.commands import experiments

    run(experiments.stop(common_options(context, json_output, api_url), experiment))


@experiment_app.command("continue")
def continue_experiment(
    context: typer.Context,
    experiment: ExperimentArgument,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Continue a stopped experiment."""
    from dryrun_cli.commands import experiments

    run(experiments.go_on(common_options(context, json_output, api_url), experiment))
