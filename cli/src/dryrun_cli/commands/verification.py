"""`dryrun report verify`: was this report signed by a key that I trust, and what does it say? Offline."""

from pathlib import Path

from rich.text import Text

from dryrun_cli.api.reading import JsonObject
from dryrun_cli.api.reading_results import read_report
from dryrun_cli.commands.command import complain, make_console, write_json
from dryrun_cli.drawing.glyphs import glyphs_for
from dryrun_cli.drawing.report_view import draw_report
from dryrun_cli.drawing.safe_text import inert
from dryrun_cli.errors import CliError, NotGenuineError
from dryrun_cli.exit_codes import ExitCode
from dryrun_cli.invocation import Common
from dryrun_cli.signed_report import Genuine, read_keys, verify
from dryrun_contract.bounded_json import read_json
from dryrun_contract.report import Report
from dryrun_contract.report_reading import REPORT_BOUNDS


async def verify_report(common: Common, file: Path, *, key_file: Path, show: bool) -> ExitCode:
    """Print who signed a report and its verdict; with `show` the report."""
    try:
        genuine = verify(file, read_keys(key_file))
        report = _report_of(genuine)
    except CliError as error:
        complain(error, json_output=common.json_output)
        return error.code
    if common.json_output:
        write_json(_as_json(genuine, report))
        return ExitCode.OK
    console = make_console()
    glyphs = glyphs_for(console.encoding)
    by = f"{genuine.key.fingerprint} {inert(genuine.key.comment, 80)}".rstrip()
    console.print(
        Text(f"{glyphs.done} {', '.join(map(inert, genuine.files))}: signed by {by}", style="green")
    )
    console.print(Text(f"  {_summary(report)}"))
    for result in report.verdict.results if report.verdict is not None else ():
        sign = glyphs.done if result.status == "passed" else glyphs.bad
        console.print(Text(f"  {sign} {inert(result.criterion)}  {inert(result.detail)}"))
    if show:
        console.print()
        console.print(draw_report(report, glyphs, whole=inert(file)))
    return ExitCode.OK


def _report_of(genuine: Genuine) -> Report:
    try:
        return read_report(read_json(genuine.data, REPORT_BOUNDS))
    except (ValueError, CliError) as error:
        raise NotGenuineError(f"it is signed, but this version cannot read it as a report: {error}") from None


def _summary(report: Report) -> str:
    session = report.session
    ended = "" if session.ended_at is None else f", ended {session.ended_at:%Y-%m-%d %H:%M} UTC"
    verdict = "no verdict"
    if report.verdict is not None:
        verdict = "criteria met" if report.verdict.passed else "criteria not met"
        verdict += " (those that were chosen when it was signed):"
    of = f"session {session.id}, template {inert(session.template, 80)}"
    return f"{of}, {session.outcome}{ended}: {verdict}"


def _as_json(genuine: Genuine, report: Report) -> JsonObject:
    verdict = report.verdict
    return {
        "genuine": True,
        "files": list(genuine.files),
        "key": genuine.key.fingerprint,
        "comment": genuine.key.comment,
        "session": str(report.session.id),
        "template": report.session.template,
        "outcome": report.session.outcome,
        "verdict": None if verdict is None else verdict.model_dump(mode="json"),
    }
