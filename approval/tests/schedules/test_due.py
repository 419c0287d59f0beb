from datetime import UTC, datetime

import pytest

from approval_api.schedules.due import ScheduleError, check, next_after

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def test_an_expression_speaks_of_the_wall_clock_of_its_zone():
    assert next_after("30 2 * * *", "Europe/Berlin", NOW) == datetime(2026, 11, 28, 1, 30, tzinfo=UTC)
    assert next_after("30 2 * * *", "UTC", NOW) == datetime(2026, 11, 28, 2, 30, tzinfo=UTC)


def test_where_the_clocks_change_each_day_fires_once():
    spring = datetime(2027, 3, 27, 12, tzinfo=UTC)
    first = next_after("30 2 * * *", "Europe/Berlin", spring)
    assert first == datetime(2027, 3, 28, 1, 0, tzinfo=UTC), "02:30 does not exist; it comes right after"
    assert next_after("30 2 * * *", "Europe/Berlin", first) == datetime(2027, 3, 29, 0, 30, tzinfo=UTC)
    autumn = datetime(2027, 10, 30, 12, tzinfo=UTC)
    first = next_after("30 2 * * *", "Europe/Berlin", autumn)
    second = next_after("30 2 * * *", "Europe/Berlin", first)
    assert (second - first).days == 1, "02:30 comes twice and counts once"


def test_where_the_clocks_change_a_star_means_the_hours_that_there_are():
    def following(moment, count):
        times = []
        for _ in range(count):
            moment = next_after("*/30 2 * * *", "Europe/Berlin", moment)
            times.append(moment)
        return times

    assert following(datetime(2027, 3, 27, 12, tzinfo=UTC), 1) == [datetime(2027, 3, 29, 0, 0, tzinfo=UTC)], (
        "02:00 and 02:30 of the 28th do not exist, and are left out"
    )
    assert following(datetime(2027, 10, 30, 12, tzinfo=UTC), 5) == [
        datetime(2027, 10, 31, 0, 0, tzinfo=UTC),
        datetime(2027, 10, 31, 0, 30, tzinfo=UTC),
        datetime(2027, 10, 31, 1, 0, tzinfo=UTC),
        datetime(2027, 10, 31, 1, 30, tzinfo=UTC),
        datetime(2027, 11, 1, 1, 0, tzinfo=UTC),
    ], "02:00 and 02:30 come twice on the 31st"


@pytest.mark.parametrize(
    ("cron", "timezone", "why"),
    [
        ("0 0 30 2 *", "UTC", "never comes|not a cron expression"),
        ("* * * * *", "UTC", "more often than every 5 minutes"),
        ("0,3 2 * * *", "UTC", "more often"),
        ("0,58 0,23 * * *", "UTC", "more often"),
        ("0,58 0,23 1-31/2 * *", "UTC", "more often"),  # on the 31st, and on the 1st after it
        ("61 2 * * *", "UTC", "not a cron expression"),
        ("0 2 * * *", "Middle/Earth", "no time zone 'Middle/Earth'"),
        ("0 2 * * *", "../../etc/passwd", "no time zone"),
    ],
)
def test_what_cannot_be_a_schedule_says_why(cron, timezone, why):
    with pytest.raises(ScheduleError, match=why):
        check(cron, timezone, NOW)


@pytest.mark.parametrize(
    "cron", ["*/5 * * * *", "30 2 * * 1-5", "0 0 29 2 *", "0 6 1 1,7 *", "0,58 0,23 * * 1"]
)
def test_what_a_person_means_is_accepted(cron):
    check(cron, "Europe/Berlin", NOW)


@pytest.mark.parametrize(
    ("cron", "zone", "moment"),
    [
        ("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 25, 1, 10, tzinfo=UTC)),
        ("30 1 * * *", "America/New_York", datetime(2026, 11, 1, 6, 10, tzinfo=UTC)),
    ],
)
def test_inside_the_hour_that_comes_twice_the_next_time_is_ahead(cron, zone, moment):
    following = next_after(cron, zone, moment)
    assert 22 < (following - moment).total_seconds() / 3600 < 25
