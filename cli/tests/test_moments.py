"""No moment stands without its zone: a reader compares it with a server's, a log's or a colleague's."""

import time
from datetime import UTC, datetime

import pytest

from dryrun_cli.drawing.moments import clock_time, dated, minute, when
from dryrun_contract.scan_choice import ScanChoice

SUMMER, WINTER = datetime(2026, 7, 1, 12, 0, 7, tzinfo=UTC), datetime(2026, 1, 1, 12, 0, 7, tzinfo=UTC)


@pytest.fixture
def in_zone(monkeypatch):
    def enter(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield enter
    monkeypatch.undo()
    time.tzset()


def test_a_moment_names_the_readers_zone(in_zone):
    in_zone("Europe/Berlin")
    assert (when(SUMMER), clock_time(WINTER)) == ("2026-07-01 14:00:07 CEST", "13:00:07 CET")


def test_a_column_names_the_zone_once_and_a_moment_of_another_one_names_its_own(in_zone):
    in_zone("UTC")
    assert (dated("STARTED"), minute(SUMMER)) == ("STARTED (UTC)", "2026-07-01 12:00")
    in_zone("Europe/Berlin")
    now = datetime.now().astimezone().tzname()
    assert dated("DUE") == f"DUE ({now})"
    named = {"CET": minute(WINTER), "CEST": minute(SUMMER)}
    assert named.pop(now).endswith(":00")
    assert [moment.endswith(f":00 {zone}") for zone, moment in named.items()] == [True]


def test_every_list_names_the_zone_of_its_times(run, api):
    session = api.add_session()
    assert "STARTED (UTC)" in run("list", TZ="UTC")[1]
    shown = " ".join(run("show", session["id"], TZ="UTC")[1].split())
    assert " UTC by ada " in shown


def test_the_line_of_a_queued_session_says_what_was_chosen(run, api):
    session = api.add_session()
    data = {
        "type": "session_queued",
        "template": "small",
        "template_digest": "sha256:" + "d" * 64,
        "seed": 0,
        "keep": False,
        "actor": "ada",
        "scan": ScanChoice(max_rate=2500).model_dump(mode="json"),
    }
    api.record(session, data)
    assert "requested by ada; at most 2,500 packets/s from each collector" in run("events", session["id"])[1]
