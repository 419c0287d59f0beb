"""The command line `dryrun`: declarations only. What a command needs is imported when it runs."""

import sys
from typing import Annotated, Literal

import typer

from dryrun_cli import __version__, commands, completion
from dryrun_cli.badge_group import badge_app
from dryrun_cli.criteria_group import criteria_app
from dryrun_cli.delivery_group import delivery_app, destination_app
from dryrun_cli.exit_codes import ExitCode
from dryrun_cli.experiment_group import experiment_app
from dryrun_cli.figures_group import figures_app
from dryrun_cli.full_output import FULL, end_without_output, escape_what_is_lacking
from dryrun_cli.invocation import Common
from dryrun_cli.options import (
    ApiUrlOption,
    CommandGroup,
    CriteriaOption,
    JsonOption,
    PlainOption,
    Running,
    SessionArgument,
)
from dryrun_cli.production_group import production_app
from dryrun_cli.report_group import report_app
from dryrun_cli.rule_group import rule_app
from dryrun_cli.schedule_group import schedule_app

EPILOG = (
    "Exit codes: 0 done (criteria met), 1 the session failed, was stopped or expired, one of an experiment "
    "could not be measured, a reported scan of production is incomplete, or a destination did not pass its "
    "check, 2 usage error, 3 the API is unreachable or failing, 4 the API refused, nothing has that id or "
    "name, or a discovery to decide on has changed or is unknown, 5 criteria not met, 6 a signed report is "
    "not genuine, 7 production lies outside its forecast, did not finish, or nothing could be judged "
    "(--require-within), 70 a defect of dryrun, 130 Ctrl-C, 141 the reader of the output closed it, "
    "143 SIGTERM. A session id may be shortened to its beginning; 'last' is the newest session."
)

app = CommandGroup(
    "Rehearse infrastructure discovery on a simulated network before it touches production.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"dryrun {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    context.obj = Common(json_output, api_url)


@app.command()
def templates(common: Common) -> Running:
    """List the templates: simulated networks to rehearse on."""
    return commands.sessions.list_templates(common)


@app.command()
def start(
    common: Common,
    template: Annotated[
        str,
        typer.Argument(
            metavar="TEMPLATE",
            help="Template id; `dryrun templates` lists them.",
            autocompletion=completion.complete_template,
        ),
    ],
    watch_it: Annotated[
        bool,
        typer.Option("--watch", "-w", help="Watch to the end and show the report. Ctrl-C stops the session."),
    ] = False,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Keep the network after the scan, to look into targets by hand. It holds a place until "
            "it is stopped or expires.",
        ),
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, max=9999, help="Variant of the template.")
    ] = 0,
    collector: Annotated[
        list[str] | None,
        typer.Option(
            "--collector",
            metavar="NAME",
            help="Run this installed collector in place of the template's. Repeatable.",
        ),
    ] = None,
    profile: Annotated[
        Literal["quick", "full"] | None, typer.Option("--profile", help="How thoroughly collectors scan.")
    ] = None,
    max_rate: Annotated[
        int | None,
        typer.Option(
            "--max-rate",
            metavar="N",
            min=1,
            max=1_000_000,
            help="Packets per second of each collector at most; default: its manifest's, else no limit.",
        ),
    ] = None,
    criteria: CriteriaOption = None,
    judged_by: Annotated[
        str | None,
        typer.Option(
            "--judged-by",
            metavar="NAME",
            help="Judge the session by these stored criteria; see: dryrun criteria list.",
        ),
    ] = None,
    plain: PlainOption = False,
) -> Running:
    """Start a session; print its id, or watch it."""
    if criteria is not None and not watch_it:
        raise typer.BadParameter("it needs --watch, which judges at the end", param_hint="'--criteria'")
    if criteria is not None and judged_by is not None:
        raise typer.BadParameter("choose one: a file, or stored criteria", param_hint="'--judged-by'")
    return commands.watching.start(
        common,
        {
            "template": template,
            "seed": seed,
            "keep": keep,
            "scan": {"collectors": collector or (), "profile": profile, "max_rate": max_rate},
            "criteria": judged_by,
        },
        watch=watch_it,
        plain=plain,
        criteria_file=criteria,
    )


@app.command()
def watch(common: Common, session: SessionArgument = "last", plain: PlainOption = False) -> Running:
    """Watch a running session. Ctrl-C leaves it running."""
    return commands.watching.watch(common, session, plain=plain)


@app.command("list")
def list_(
    common: Common,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, max=10000, help="List at most N.")
    ] = 20,
    pool: Annotated[
        bool, typer.Option("--pool", help="List what is prepared ahead instead, by template and seed.")
    ] = False,
) -> Running:
    """List sessions, newest first."""
    if pool:
        return commands.sessions.list_pool(common)
    return commands.sessions.list_sessions(common, limit=limit)


@app.command()
def show(common: Common, session: SessionArgument) -> Running:
    """Show one session."""
    return commands.sessions.show_session(common, session)


@app.command()
def events(
    common: Common,
    session: SessionArgument,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Follow new events until the session has ended.")
    ] = False,
) -> Running:
    """Print a session's events, one line each."""
    if follow:
        return commands.watching.follow_events(common, session)
    return commands.sessions.events(common, session)


@app.command()
def stop(common: Common, session: SessionArgument) -> Running:
    """Stop a session and remove its network."""
    return commands.sessions.stop(common, session)


# Without a name: its commands are commands of `dryrun`.
app.add_typer(figures_app)
app.add_typer(report_app, name="report")
app.add_typer(criteria_app, name="criteria")
app.add_typer(experiment_app, name="experiment")
app.add_typer(schedule_app, name="schedule")
app.add_typer(badge_app, name="badge")
app.add_typer(production_app, name="production")
app.add_typer(rule_app, name="rule")
app.add_typer(destination_app, name="destination")
app.add_typer(delivery_app, name="delivery")


def main() -> None:
    """Run `dryrun` and exit with one of `ExitCode`."""
    escape_what_is_lacking()
    try:
        app()
    except Exception as error:  # noqa: BLE001  # what gets here is a defect, with an exit code of its own
        if isinstance(error, OSError) and error.errno in FULL:
            end_without_output(error, ExitCode.USAGE)
        import traceback

        traceback.print_exc()
        typer.echo("error: this is a defect of dryrun; report it with the lines above", err=True)
        sys.exit(ExitCode.DEFECT)


if __name__ == "__main__":
    main()
