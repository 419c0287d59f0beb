"""What is tested by turns is tested: every day a part, in as many days as there are parts everything."""

from datetime import UTC, datetime, timedelta

import pytest
import todays_share
from todays_share import todays_share as share


@pytest.fixture
def day(monkeypatch):
    monkeypatch.delenv("DRYRUN_SHARE", raising=False)

    def go_to(number: int) -> None:
        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime(2026, 2, 27, tzinfo=tz or UTC) + timedelta(days=number)

        monkeypatch.setattr(todays_share, "datetime", Clock)

    return go_to


@pytest.mark.parametrize("every", [1, 2, 3, 8])
def test_each_thing_is_chosen_once_in_so_many_days(day, every):
    chosen = []
    for number in range(every):
        day(number)
        chosen += share(range(20), every)
    assert sorted(chosen) == list(range(20))


def test_everything_is_chosen_where_that_is_wanted(day, monkeypatch):
    day(0)
    monkeypatch.setenv("DRYRUN_SHARE", "all")
    assert share(range(20), 8) == list(range(20))
