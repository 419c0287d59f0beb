"""`dryrun production`: declarations only."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from dryrun_cli import commands
from dryrun_cli.invocation import Common
from dryrun_cli.options import CommandGroup, Running

production_app = CommandGroup(
    "Report what collectors found in production, and see what changed there.", no_args_is_help=True
)


@production_app.command("report")
def report_scan(
    common: Common,
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
) -> Running:
    """Report a scan of production with what it covered: a complete one proves what is gone."""
    scan = commands.production_report.Scan(
        file, collector, tuple(targets), tuple(exclude or ()), profile, despite_warnings, began
    )
    return commands.production_report.report(common, scan)


@production_app.command("list")
def list_discoveries(
    common: Common,
    change: Annotated[
        Literal["new", "changed", "gone", "returned"] | None,
        typer.Option("--change", help="Only what is new, changed, gone or returned."),
    ] = None,
    status: Annotated[
        Literal["pending", "approved", "rejected"] | None,
        typer.Option("--status", help="Only those in this state; default: pending."),
    ] = None,
    any_status: Annotated[bool, typer.Option("--all", help="Also those already decided.")] = False,
    happened: Annotated[
        Literal["new", "changed", "gone", "returned"] | None,
        typer.Option(
            "--happened",
            help="What `dryrun production changes` counts as this, in any state, whatever it is now.",
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            "--days", metavar="N", min=1, max=366, help="Of --happened: in the last N days; default: 1."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", min=1, max=10000, help="List at most N.")
    ] = 50,
) -> Running:
    """List production discoveries that wait for a decision, newest first."""
    if days is not None and happened is None:
        raise typer.BadParameter("it needs --happened, which says what is counted", param_hint="'--days'")
    if status is not None and any_status:
        raise typer.BadParameter("choose one: a state, or all of them", param_hint="'--all'")
    shown = status or (None if any_status or happened else "pending")
    filters = {"change": change, "status": shown, **commands.production.in_days(happened, days or 1)}
    return commands.production.list_discoveries(common, filters, limit)


SeenArgument = Annotated[
    list[str],
    typer.Argument(metavar="ID:REVISION", help="Each as `list` shows it; at most 500."),
]
NoteOption = Annotated[str, typer.Option("--note", metavar="TEXT", help="The reason, for the audit log.")]


@production_app.command("approve")
def approve(common: Common, seen: SeenArgument, note: NoteOption = "") -> Running:
    """Approve discoveries as they were seen; one that has changed since is left alone, with exit code 4."""
    return commands.production.decide(common, "approved", tuple(seen), note)


@production_app.command("reject")
def reject(common: Common, seen: SeenArgument, note: NoteOption = "") -> Running:
    """Reject discoveries as they were seen; one that has changed since is left alone, with exit code 4."""
    return commands.production.decide(common, "rejected", tuple(seen), note)


@production_app.command("reopen")
def reopen(common: Common, seen: SeenArgument) -> Running:
    """Withdraw decisions: the discoveries wait for one again."""
    return commands.production.decide(common, "pending", tuple(seen), "")


@production_app.command("scans")
def list_scans(common: Common) -> Running:
    """List the newest scans of production: what each covered, missed, and proved gone."""
    return commands.production.list_scans(common)


@production_app.command("changes")
def summarize_changes(
    common: Common,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, max=366, help="Of the last N days.")] = 1,
) -> Running:
    """Count what is new, changed, gone or back in production, by kind."""
    return commands.production.summarize(common, days)
