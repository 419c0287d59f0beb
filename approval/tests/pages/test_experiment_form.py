"""The form for a new experiment: what it reads, and that mistakes are reported with the way back."""

import pytest

from approval_api.pages.experiments.routes import _choices, _numbers
from approval_api.web.problems import ProblemError


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("", []), ("0-4, 7", [0, 1, 2, 3, 4, 7]), (" 3 ", [3]), ("100,500 2000", [100, 500, 2000])],
)
def test_numbers_are_read_as_people_write_them(text, numbers):
    assert _numbers(text, "Seeds") == numbers


@pytest.mark.parametrize("text", ["a", "1-", "-1", "0-9999999", "1" * 8, "٣", "1..4"])
def test_what_is_no_list_of_numbers_or_too_long_is_refused(text):
    with pytest.raises(ProblemError, match="Seeds"):
        _numbers(text, "Seeds")


def test_ways_to_scan_are_lines_with_a_name():
    text = "ours: network, database\r\n\r\n plain nmap : nmap\n"
    assert _choices(text) == {"ours": ["network", "database"], "plain nmap": ["nmap"]}
    for wrong in ("network", "a: x\na: y"):
        with pytest.raises(ProblemError, match="Ways to scan"):
            _choices(wrong)
