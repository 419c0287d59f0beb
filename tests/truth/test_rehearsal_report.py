"""What holds a production run to its report reads fields that reports have."""

from approval_api.reports.model import CollectorRun, Report
from approval_api.reports.verdict import Verdict
from discovery_collectors.running import rehearsal


def test_every_field_that_a_run_is_held_to_stands_in_a_report() -> None:
    told = Report.model_fields
    assert set(rehearsal._Report.model_fields) <= set(told)
    assert set(rehearsal._Run.model_fields) <= set(CollectorRun.model_fields)
    assert set(rehearsal._Verdict.model_fields) <= set(Verdict.model_fields)
    session = told["session"].annotation
    assert session is not None
    assert "id" in session.model_fields
