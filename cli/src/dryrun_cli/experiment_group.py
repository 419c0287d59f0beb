"""`dryrun experiment`: declarations only."""

from pathlib import Path
from typing import Annotated

import typer

from dryrun_cli import commands, completion
from dryrun_cli.invocation import Common
from dryrun_cli.options import CommandGroup, Running

experiment_app = CommandGroup(
    "Compare ways to scan: collectors, profiles and rates, over templates, seeds and repetitions.",
    no_args_is_help=True,
)
ExperimentArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Experiment id, its beginning, or 'last'.")
]


@experiment_app.command("run")
def run_experiment(
    common: Common,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to compare (YAML or JSON).")],
    watch_it: Annotated[
        bool,
        typer.Option("--watch/--no-watch", help="Wait for the results. Ctrl-C leaves it running."),
    ] = True,
) -> Running:
    """Run an experiment, and show what it found."""
    return commands.experiments.run(common, file, watch=watch_it)


@experiment_app.command("history")
def show_history(
    common: Common,
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="The template that has the fact.")],
    kind: Annotated[str, typer.Argument(metavar="KIND", help="For example service.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="For example web:80/tcp.")],
    attribute: Annotated[
        str | None, typer.Option("--attribute", metavar="NAME", help="An attribute of it, such as version.")
    ] = None,
) -> Running:
    """Show which versions of the collectors found a fact, and which did not."""
    return commands.experiments.history(common, template, kind, key, attribute)


@experiment_app.command("list")
def list_experiments(common: Common) -> Running:
    """List experiments, newest first."""
    return commands.experiments.list_newest(common)


@experiment_app.command("show")
def show_experiment(
    common: Common,
    experiment: ExperimentArgument = "last",
    watch_it: Annotated[bool, typer.Option("--watch", "-w", help="Wait until it has ended.")] = False,
) -> Running:
    """Show an experiment's results so far."""
    return commands.experiments.show(common, experiment, watch=watch_it)


@experiment_app.command("compare")
def compare_sessions(
    common: Common,
    baseline: Annotated[
        str,
        typer.Argument(
            metavar="BASELINE",
            help="Session to compare with: its id, the beginning of it, or 'last'.",
            autocompletion=completion.complete_session,
        ),
    ],
    session: Annotated[
        str, typer.Argument(metavar="SESSION", help="Session id, its beginning, or 'last'.")
    ] = "last",
) -> Running:
    """Compare two sessions: what only one of them found, or reported falsely."""
    return commands.experiments.compare(common, baseline, session)


@experiment_app.command("stop")
def stop_experiment(common: Common, experiment: ExperimentArgument) -> Running:
    """Stop an experiment: it starts no further session."""
    return commands.experiments.stop(common, experiment)


@experiment_app.command("continue")
def continue_experiment(common: Common, experiment: ExperimentArgument) -> Running:
    """Continue a stopped experiment."""
    return commands.experiments.go_on(common, experiment)
