"""Commands on the report: show it, judge it, write it; and the report at the end of watching."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from rich.console import Console

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import SAME_VERSION, JsonObject, read_object
from dryrun_cli.api.reading_results import read_report
from dryrun_cli.api.session_ids import find_session_id
from dryrun_cli.commands.command import command, make_console
from dryrun_cli.commands.criteria_file import NOT_VALID, read_criteria, wrong_criteria
from dryrun_cli.commands.output_file import STANDARD_OUTPUT, write_output
from dryrun_cli.drawing.glyphs import glyphs_for
from dryrun_cli.drawing.report_view import draw_report
from dryrun_cli.drawing.safe_text import ascii_json, inert_lines
from dryrun_cli.errors import ApiRefusedError, ApiUnreachableError, WrongUseError
from dryrun_cli.exit_codes import ExitCode
from dryrun_cli.invocation import Common
from dryrun_contract.report import Report

SIGNED: Final = "signed"
FORMS: Final = ("markdown", "html", "csv", "json", "jira", "servicenow", SIGNED)
_FORM_BY_SUFFIX: Final = {
    ".json": "json",
    ".html": "html",
    ".htm": "html",
    ".csv": "csv",
    ".zip": SIGNED,
}
_TEXT_SUFFIXES: Final = frozenset({"", ".md", ".txt"})
"""Names of text of any format, Markdown by default."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a report is to say more: a forecast, for which the API fills in what is missing, and a verdict."""

    hosts: int | None = None
    cidr: str | None = None
    judged: bool = False
    """Print the verdict by the session's own criteria as well."""

    @property
    def is_forecast(self) -> bool:
        """Whether it asks for a forecast."""
        return self.hosts is not None or self.cidr is not None

    def parameters(self) -> dict[str, str | int]:
        """Return the parameters of the API's request."""
        parameters = {
            "forecast_hosts": self.hosts,
            "forecast_cidr": self.cidr,
            "judged": "true" if self.judged else None,
        }
        return {name: value for name, value in parameters.items() if value is not None}


async def conclude(
    client: ApiClient,
    session_id: UUID,
    console: Console,
    criteria: JsonObject | None = None,
    *,
    whole: str | None = None,
) -> Report:
    """Fetch the report, print it on `console` and return it.

    It has a verdict by `criteria`, or by the session's own. `whole` says where the whole report is, by
    default the command that writes it.
    """
    question = Question(judged=criteria is None)
    report = read_report(await client.report(session_id, criteria, question.parameters()))
    console.print()
    console.print(draw_report(report, glyphs_for(console.encoding), with_reason=False, whole=whole))
    return report


@command
async def report(
    client: ApiClient,
    common: Common,
    text: str,
    *,
    form: str | None,
    criteria_file: Path | None,
    output: Path | None,
    question: Question,
) -> ExitCode:
    """`dryrun report ID`. Without `form` it is printed for the terminal; a file's name chooses its form."""
    form = _form(form, output, as_json=common.json_output)
    criteria = None if criteria_file is None else read_criteria(criteria_file)
    session_id = await find_session_id(client, text)
    judged, written = criteria is not None or question.judged, form not in {None, "json"}
    answer: JsonValue = None
    document = b""
    try:
        asked = question.parameters()
        # The exit code of a judged report follows from its JSON, whatever its form.
        if judged or not written:
            answer = await client.report(session_id, criteria, asked)
        if written:
            document = await client.written_report(session_id, str(form), criteria, asked)
    except ApiRefusedError as error:
        of_file = any(fault.where.startswith("body") for fault in error.problem.faults)
        if criteria_file is not None and of_file and error.problem.status == NOT_VALID:
            raise wrong_criteria(criteria_file, error) from error
        raise
    if form == SIGNED:
        write_output(output, document)
    elif form is None:
        console = make_console()
        glyphs = glyphs_for(console.encoding)
        console.print(draw_report(read_report(answer), glyphs, with_forecast=question.is_forecast))
    else:
        whole = ascii_json(answer, indent=2) if form == "json" else inert_lines(document.decode())
        _write(output, whole.rstrip("\n") + "\n")
    code = verdict_code(answer, judged=judged)
    if judged and form is not None:
        # A person does not see an exit code, and of a file nothing else is printed.
        verdict = read_report(answer).verdict
        results = verdict.results if verdict else ()
        unmet = [f"Not met: {each.criterion}: {each.detail}" for each in results if each.status != "passed"]
        if code is ExitCode.CRITERIA_NOT_MET:
            sys.stderr.write(inert_lines("\n".join(unmet)) + "\n")
        elif output not in {None, STANDARD_OUTPUT}:
            sys.stderr.write(f"Criteria met: {len(results)} of {len(results)}\n")
    return code


def _form(form: str | None, output: Path | None, *, as_json: bool) -> str | None:
    """Return the format; None for the terminal's. Raises WrongUseError when two options disagree on it."""
    if as_json and form not in {None, "json"}:
        raise WrongUseError(f"--json and --format {form} disagree; keep one of them")
    form = "json" if as_json else form
    named = None if output is None else _FORM_BY_SUFFIX.get(output.suffix.lower())
    if form is not None and named is not None and form != named:
        option = "--json" if as_json else f"--format {form}"
        raise WrongUseError(
            f"{option} and the name {output} disagree: *{output.suffix if output else ''} is {named}; "
            "leave the option out, or choose another name"
        )
    if form is None and output is not None:
        if named is None and output.suffix.lower() not in _TEXT_SUFFIXES:
            raise WrongUseError(
                f"--output: a report is not written as *{output.suffix}, but as "
                f"{', '.join(_FORM_BY_SUFFIX)} or .md; choose another name, or give --format too"
            )
        form = named or "markdown"
    if form == SIGNED and (output is None or output == STANDARD_OUTPUT) and sys.stdout.isatty():
        raise WrongUseError("a signed report is a ZIP; name a file: -o report.zip")
    return form


def verdict_code(answer: JsonValue, *, judged: bool) -> ExitCode:
    """Return the exit code of a report's verdict; OK when it was not `judged`. Raises ApiUnreachableError."""
    if not judged:
        return ExitCode.OK
    verdict = read_object(answer, "report").get("verdict")
    passed = verdict.get("passed") if isinstance(verdict, dict) else None
    if not isinstance(passed, bool):
        raise ApiUnreachableError(f"the API's report has no verdict; {SAME_VERSION}")
    return ExitCode.OK if passed else ExitCode.CRITERIA_NOT_MET


def _write(path: Path | None, text: str) -> None:
    if path is None or path == STANDARD_OUTPUT:
        sys.stdout.write(text)
        return
    write_output(path, text.encode())
