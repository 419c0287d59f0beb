"""`dryrun production`: declarations only."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from dryrun_cli.options import ApiUrlOption, JsonOption, common_options, run
from dryrun_cli.whole_help import WholeHelpGroup

production_app = typer.Typer(
    cls=WholeHelpGroup,
    help="Report what collectors found in production, and see what changed there.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@production_app.command("report")
def report_scan(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What discovery-collect wrote (- for standard input).")
    ],
    collector: Annotated[str, typer.Option("--collector", metavar="NAME", help="Which collector wrote it.")],
    targets: Annotated[
        list[str],
        typer.Option("--targets", metavar="CIDR", help="A network that it was to scan. Repeatable."),
    ],
    profile: Annotated[
        Literal["quick", "full"],
        typer.Option("--profile", help="How thoroughly; quick proves nothing about what only full finds."),
    ],
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="CIDR", help="What it left out. Repeatable.")
    ] = None,
    began: Annotated[
        str | None,
        typer.Option(
            "--began",
            metavar="TIME",
            help="When it began, as in 2026-01-31T02:30:00Z; default: now. Scans that ran at the same time "
            "count once.",
        ),
    ] = None,
    despite_warnings: Annotated[
        bool,
        typer.Option(
            "--despite-warnings",
            help="Count it as complete although the collector could not inspect something.",
        ),
    ] = False,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Report a scan of production with what it covered: a complete one proves what is gone."""
    from dryrun_cli.commands import production

    scan = production.Scan(
        file, collector, tuple(targets), tuple(exclude or ()), profile, despite_warnings, began
    )
    run(production.report(common_options(context, json_output, api_url), scan))


@production_app.command("list")
def list_discoveries(
    context: typer.Context,
    change: Annotated[
        Literal["new", "changed", "gone", "returned"] | None,
        typer.Option("--change", help="Only what is new, changed, gone or returned."),
    ] = None,
    status: Annotated[
        Literal["pending", "approved", "rejected"] | None,
        typer.Option("--status", help="Only those in this state."),
    ] = "pending",
    any_status: Annotated[bool, typer.Option("--all", help="Also those already decided.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, max=10000)] = 50,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """List production discoveries that wait for a decision, newest first."""
    from dryrun_cli.commands import production

    common = common_options(context, json_output, api_url)
    run(production.list_discoveries(common, change, None if any_status else status, limit))


SeenArgument = Annotated[
    list[str],
    typer.Argument(metavar="ID:REVISION...", help="Each as `list` shows it; at most 500."),
]
NoteOption = Annotated[str, typer.Option("--note", metavar="TEXT", help="The reason, for the audit log.")]


@production_app.command("approve")
def approve(
    context: typer.Context,
    seen: SeenArgument,
    note: NoteOption = "",
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Approve discoveries as they were seen; one that has changed since is left alone, with exit code 4."""
    from dryrun_cli.commands import production

    run(production.decide(common_options(context, json_output, api_url), "approved", tuple(seen), note))


@production_app.command("reject")
def reject(
    context: typer.Context,
    seen: SeenArgument,
    note: NoteOption = "",
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Reject discoveries as they were seen; one that has changed since is left alone, with exit code 4."""
    from dryrun_cli.commands import production

    run(production.decide(common_options(context, json_output, api_url), "rejected", tuple(seen), note))


@production_app.command("reopen")
def reopen(
    context: typer.Context,
    seen: SeenArgument,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Take decisions back: the discoveries wait again."""
    from dryrun_cli.commands import production

    run(production.decide(common_options(context, json_output, api_url), "pending", tuple(seen), ""))


@production_app.command("scans")
def list_scans(context: typer.Context, json_output: JsonOption = False, api_url: ApiUrlOption = None) -> None:
    """List the newest scans of production: what each covered, missed, and proved gone."""
    from dryrun_cli.commands import production

    run(production.list_scans(common_options(context, json_output, api_url)))


@production_app.command("changes")
def summarize_changes(
    context: typer.Context,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, max=366, help="Of the last N days.")] = 1,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Count what is new, changed, gone or back in production, by kind."""
    from dryrun_cli.commands import production

    run(production.summarize(common_options(context, json_output, api_url), days))
