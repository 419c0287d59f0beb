"""Reads what is computed from sessions: reports and experiments.

Apart from `reading`: to import their models would take most commands a tenth of their time.
"""

from pydantic import JsonValue

from dryrun_cli.api.reading import read_word
from dryrun_cli.errors import ApiUnreachableError
from dryrun_contract.experiment import Experiment
from dryrun_contract.report import Report
from dryrun_contract.report_reading import UnreadableReportError, to_report


def read_experiment(answer: JsonValue) -> Experiment:
    """Return the experiment in `answer`. Raises ApiUnreachableError when it is not one."""
    return read_word(Experiment, answer, "an experiment")


def read_report(answer: JsonValue) -> Report:
    """Return the report in `answer`. Raises ApiUnreachableError when it is not one, or of another version."""
    try:
        return to_report(answer)
    except UnreadableReportError as error:
        raise ApiUnreachableError(f"the API's answer is not a readable report: {error}") from None
