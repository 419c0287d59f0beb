"""`dryrun report`: declarations only."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dryrun_cli import commands
from dryrun_cli.invocation import Common
from dryrun_cli.options import CommandGroup, CriteriaOption, Running, SessionArgument
from dryrun_cli.whole_help import WholeHelpGroup
from dryrun_contract.text import printable


class _ReportGroup(WholeHelpGroup):
    """`dryrun report ID` shows a report; what else can be done with one has a name of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Treat arguments that do not begin with a command's name as those of `show`."""
        if not args or args[0] not in self.commands:
            args = ["show", *args]
        return super().parse_args(ctx, args)


report_app = CommandGroup(cls=_ReportGroup, help_text="Show a session's report, or verify a signed one.")

# Of a forecast beside a production run, which takes the report's place.
_CheckAgainst = Annotated[
    Path | None,
    typer.Option(
        "--check-against",
        metavar="FILE",
        help="Compare the forecast of a real network with what discovery-collect wrote there (- for "
        "standard input). Addresses are counted here and not sent.",
    ),
]
_CheckProduction = Annotated[
    bool, typer.Option("--check-production", help="Compare it with the production discoveries of the API.")
]
_Took = Annotated[
    float | None,
    typer.Option("--took", metavar="SECONDS", min=0, help="Seconds that the production run took."),
]
_Packets = Annotated[
    int | None, typer.Option("--packets", metavar="N", min=0, help="How many packets its hosts received.")
]
_Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="CIDR",
        help="What the production run left out: nothing there counts as missed. Repeatable.",
    ),
]
_RequireWithin = Annotated[
    bool,
    typer.Option(
        "--require-within",
        help="Exit with 7 unless the production run finished and its totals, duration and packets lie "
        "within the forecast.",
    ),
]
_With = Annotated[
    list[str] | None,
    typer.Option("--with", metavar="ID", help="Forecast from this session too; may be repeated."),
]


@report_app.command("show", epilog="A signed report is checked by: dryrun report verify FILE --key KEY.pub")
def report(
    common: Common,
    session: SessionArgument,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="markdown, html, csv, json; jira or servicenow (a few lines for a ticket); signed (a ZIP); "
            "default: a summary for the terminal.",
            autocompletion=lambda: ["markdown", "html", "csv", "json", "jira", "servicenow", "signed"],
        ),
    ] = None,
    criteria: CriteriaOption = None,
    judged: Annotated[
        bool,
        typer.Option("--judged", help="Add the verdict by the criteria that the session was started with."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to FILE, in the format of its name: *.json, *.html, *.csv, *.zip (signed), *.md.",
        ),
    ] = None,
    forecast_hosts: Annotated[
        int | None,
        typer.Option("--forecast-hosts", metavar="N", min=1, help="Forecast for a network of N hosts."),
    ] = None,
    forecast_cidr: Annotated[
        str | None,
        typer.Option("--forecast-cidr", metavar="CIDR", help="The hosts' network, e.g. 10.20.0.0/16."),
    ] = None,
    check_against: _CheckAgainst = None,
    check_production: _CheckProduction = False,
    took_seconds: _Took = None,
    packets: _Packets = None,
    exclude: _Exclude = None,
    require_within: _RequireWithin = False,
    more: _With = None,
) -> Running:
    """Show a session's report: scores, differences, harm to targets."""
    if check_against is not None or check_production:
        if check_against is not None and check_production:
            raise typer.BadParameter("choose one of the two", param_hint="'--check-against'")
        if exclude and check_production:
            raise typer.BadParameter("it belongs to --check-against", param_hint="'--exclude'")
        production = commands.forecasts.Production(check_against, took_seconds, packets, tuple(exclude or ()))
        return commands.forecasts.check(
            common, session, production, more or [], require_within=require_within
        )
    if more or took_seconds is not None or packets is not None or exclude or require_within:
        raise typer.BadParameter(
            "they belong to --check-against and --check-production",
            param_hint="'--with', '--took', '--packets', '--exclude', '--require-within'",
        )

    if form is not None and form not in commands.reports.FORMS:
        forms = ", ".join(commands.reports.FORMS)
        raise typer.BadParameter(f"expected one of {forms}", param_hint="'--format'")
    if criteria is not None and judged:
        raise typer.BadParameter("choose one: a file, or the session's criteria", param_hint="'--judged'")
    question = commands.reports.Question(forecast_hosts, forecast_cidr, judged=judged)
    return commands.reports.report(
        common, session, form=form, criteria_file=criteria, output=output, question=question
    )


@report_app.command("verify", offline=True)
def verify_report(
    common: Common,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A signed report (*.zip).")],
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="The public keys that you trust: a report-key.pub. Required."
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the report too.")] = False,
) -> Running:
    """Check a signed report, offline: who signed it, and what it says. Exit code 6: it is not genuine."""
    if key is None:
        raise typer.BadParameter(
            "it is missing: give the service's public key, report-key.pub, as its operator hands it out, and "
            "not from whoever sent the report (make up: .dryrun/secrets/report-key.pub; a deployment: "
            f"state/config/report-key.pub). Then: dryrun report verify {printable(str(file))} --key "
            "report-key.pub",
            param_hint="'--key'",
        )
    return commands.verification.verify_report(common, file, key_file=key, show=show)
