"""Quiet hours by the wall clock of a zone, over midnight too; gathering waits for its end."""

from datetime import UTC, datetime, timedelta

import pytest

from approval_api.notifications.quiet import is_quiet, may_send
from dryrun_contract.notification import ChannelRequest


def channel(**wanted):
    given = {"name": "x", "kind": "email", "address": "a@example.com", "occasions": ["session_failed"]}
    return ChannelRequest.model_validate({**given, **wanted})


@pytest.mark.parametrize(
    ("begin", "end", "clock", "quiet"),
    [
        ("22:00", "06:00", "21:59", False),
        ("22:00", "06:00", "22:00", True),
        ("22:00", "06:00", "03:00", True),
        ("22:00", "06:00", "06:00", False),
        ("12:00", "13:00", "12:30", True),
        ("12:00", "13:00", "13:00", False),
        ("12:00", "12:00", "12:00", False),
    ],
)
def test_quiet_hours_have_a_beginning_and_an_end(begin, end, clock, quiet):
    now = datetime.fromisoformat(f"2026-11-27T{clock}:00+00:00")
    assert is_quiet(channel(quiet_from=begin, quiet_to=end), now) is quiet


def test_they_go_by_the_channels_own_clock():
    berlin = channel(quiet_from="22:00", quiet_to="06:00", timezone="Europe/Berlin")
    assert is_quiet(berlin, datetime(2026, 7, 1, 20, 30, tzinfo=UTC))
    assert not is_quiet(berlin, datetime(2026, 11, 27, 20, 30, tzinfo=UTC))


def test_what_gathers_waits_from_its_oldest_on():
    now = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
    gathering = channel(gather_minutes=30)
    assert not may_send(gathering, now - timedelta(minutes=29), now)
    assert may_send(gathering, now - timedelta(minutes=30), now)


@pytest.mark.parametrize(
    "wanted",
    [
        {"quiet_from": "22:00"},
        {"quiet_from": "24:00", "quiet_to": "06:00"},
        {"occasions": []},
        {"occasions": ["nothing"]},
        {"kind": "webhook"},
        {"kind": "slack", "address": "https://a:b@hooks.example.com/"},
        {"address": "a b@example.com"},
        {"address": "a@example.com\r\nBcc: b@example.com"},
        {"address": "a@example.com,b@example.com"},
        {"gather_minutes": 1441},
    ],
)
def test_what_is_no_channel_is_refused(wanted):
    with pytest.raises(ValueError, match="validation error"):
        channel(**wanted)
