"""The process in which reports are computed and written; `service` is the other end."""

import zlib
from collections.abc import Callable

from pydantic import Field

from approval_api.computing.worker_loop import Task, serve
from approval_api.reports.build import build
from approval_api.reports.criteria import Criteria, judge, own_criteria
from approval_api.reports.csv_file import render_csv
from approval_api.reports.figures import Figures
from approval_api.reports.forecast import ForecastQuestion, forecast
from approval_api.reports.html import render_html_file, render_html_fragment
from approval_api.reports.inputs import Inputs
from approval_api.reports.markdown import render
from approval_api.reports.ticket import render_jira, render_servicenow
from dryrun_contract.base import Word
from dryrun_contract.report import Report


class Writing(Word):
    """The options for writing a report."""

    form: str = Field(pattern="^(json|markdown|html|csv|jira|servicenow|fragment)$")
    criteria: Criteria | None = None
    criteria_name: str | None = None
    question: ForecastQuestion | None = None
    base_url: str = ""
    """Where this service is for people; tickets have links, and are read elsewhere."""


_TICKETS: dict[str, Callable[[Report, str], str]] = {"jira": render_jira, "servicenow": render_servicenow}
_RENDERERS: dict[str, Callable[[Report], str]] = {
    "json": lambda report: report.model_dump_json(),
    "markdown": render,
    "html": render_html_file,
    "csv": render_csv,
    "fragment": render_html_fragment,
}


def compute(*parts: bytes) -> tuple[bytes, ...]:
    """Return a report's figures, and the report, compressed."""
    inputs = Inputs.of_task(*parts)
    refused: list[None] = []
    report = build(inputs.session(), inputs.events(lambda: refused.append(None)))
    report = report.model_copy(update={"left_out": inputs.left_out + len(refused)})
    figures = Figures.of(report, own_criteria(inputs.session())).model_dump_json().encode()
    return figures, zlib.compress(report.model_dump_json().encode(), 1)


def write(how: bytes, kept: bytes) -> tuple[bytes, ...]:
    """Return a report as a document, compressed."""
    wanted, report = Writing.model_validate_json(how), _read(kept)
    if wanted.question is not None:
        report = report.model_copy(update={"forecast": forecast(report, wanted.question)})
    if wanted.criteria is not None:
        verdict = judge(report, wanted.criteria).model_copy(update={"criteria": wanted.criteria_name})
        report = report.model_copy(update={"verdict": verdict})
    if (ticket := _TICKETS.get(wanted.form)) is not None:
        document = ticket(report, wanted.base_url)
    else:
        document = _RENDERERS[wanted.form](report)
    return (zlib.compress(document.encode("utf-8", "replace"), 1),)


def _read(kept: bytes) -> Report:
    return Report.model_validate_json(zlib.decompress(kept))


_TASKS: dict[bytes, Task] = {
    b"compute": compute,
    b"write": write,
}


def main() -> None:
    """Serve until standard input ends."""
    serve(_TASKS, "a report failed")


if __name__ == "__main__":
    main()
