import pytest
from pydantic import ValidationError

from dryrun_contract.event import MAX_LOG_SAMPLE, LogsOfCollectors, TargetLogs


def test_a_pattern_that_an_image_lacks_is_not_measured_and_not_zero():
    logs = TargetLogs(counts={"errors": 0, "slow_queries": None}, lines=0)
    assert TargetLogs.model_validate_json(logs.model_dump_json()).counts == {
        "errors": 0,
        "slow_queries": None,
    }


@pytest.mark.parametrize("sample", [("line",) * (MAX_LOG_SAMPLE + 1), ("x" * 501,)])
def test_a_sample_of_a_log_is_bounded(sample):
    with pytest.raises(ValidationError):
        LogsOfCollectors(collectors=("network",), lines=9, sample=sample)


def test_only_patterns_of_the_contract_are_counted():
    with pytest.raises(ValidationError):
        TargetLogs.model_validate({"counts": {"panics": 1}, "lines": 0})
