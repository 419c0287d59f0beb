import pytest

from approval_api.reports.criteria import Criteria, judge


@pytest.mark.parametrize(("limit", "status"), [(2, "failed"), (3, "passed")])
async def test_failed_logins_are_summed_over_the_targets_whose_logs_tell(report, limit, status):
    (result,) = judge(report, Criteria(failed_logins_max=limit)).results
    assert (result.status, result.measured) == (status, 3)
    assert "1 of 2 targets" in result.detail


async def test_failed_logins_that_no_log_tells_of_do_not_pass(report):
    silent = report.model_copy(update={"logs": {"web": report.logs["web"]}})
    for logs in (silent, report.model_copy(update={"logs": None})):
        (result,) = judge(logs, Criteria(failed_logins_max=100)).results
        assert result.status == "not_measured"
