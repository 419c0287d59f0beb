import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_contract.event import MAX_LOG_SAMPLE
from dryrun_contract.text import printable
from dryrun_orchestrator.session.log_lines import (
    LINE_BYTES,
    MAX_TARGET_SAMPLE,
    PATTERN_SECONDS,
    CollectorSpan,
    Culprits,
    LogTally,
)

START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
PATTERNS = {"errors": r"\b(ERROR|FATAL)\b", "connections": "connection received"}


def after(seconds):
    return START + timedelta(seconds=seconds)


def span(collector, begin, end, address="10.213.0.29"):
    return CollectorSpan(collector, address, after(begin), after(end))


NETWORK = span("network", 0, 5)
DATABASE = span("database", 6, 10)
WEB = span("web", 6, 12, "10.213.0.30")
CULPRITS = Culprits([NETWORK, DATABASE, WEB])


def line(seconds, text):
    stamp = after(seconds).isoformat(timespec="microseconds").replace("+00:00", "123Z")
    return f"{stamp} ".encode() + (text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    ("seconds", "text", "culprits"),
    [
        (1, "connection received", ("network",)),
        (-1, "starting", ()),
        (5.5, "connection closed", ("network",)),
        (7, "something", ("database", "web")),
        (7, 'GET / from 10.213.0.30, "curl"', ("web",)),
        (7, "host=10.213.0.29 port=1", ("database",)),
        (7, "10.213.0.2 and 10.213.0.290 and 110.213.0.29", ("database", "web")),
        (11, "host=10.213.0.29, who has ended", ("web",)),
        (30, "checkpoint complete", ()),
        (1, '127.0.0.1 - - "GET /health"', ()),
        (1, "connection received: host=[local]", ()),
        (1, "10.213.0.29 asks for 127.0.0.1", ("network",)),
    ],
)
def test_a_line_is_caused_by_who_ran_or_by_whom_it_names(seconds, text, culprits):
    assert CULPRITS.of(after(seconds), text) == culprits


def test_lines_are_counted_by_pattern_and_by_who_caused_them():
    tally = LogTally(PATTERNS, CULPRITS)
    tally.take(
        [
            line(-1, "ERROR before the scan"),
            line(1, "connection received: port=1"),
            line(1, "connection received: port=2"),
            line(2, "FATAL: no such role"),
            line(7, "ERROR on account of 10.213.0.30"),
            b"no time stands here: ERROR",
        ]
    )
    assert tally.counts() == {"errors": 2, "connections": 2}
    assert tally.lines() == 4
    by = {logs.collectors: logs for logs in tally.of_collectors()}
    assert by["network",].counts == {"errors": 1, "connections": 2}
    assert by["web",].counts == {"errors": 1, "connections": 0}
    assert by[()].lines == 1


def test_lines_that_differ_in_figures_only_are_shown_once_and_few_are_shown():
    tally = LogTally({}, CULPRITS)
    tally.take([line(1, f"connection {number} received") for number in range(100)])
    tally.take([line(1, "x" * number) for number in range(1, 100)])
    (logs,) = tally.of_collectors()
    assert logs.lines == 199
    assert len(logs.sample) == MAX_LOG_SAMPLE
    assert logs.sample[:2] == ("connection 0 received", "x")


def test_few_lines_of_a_target_are_shown_and_those_of_one_collector_first():
    spans = [span(f"c{number}", number, 20) for number in range(12)]
    tally = LogTally({}, Culprits(spans))
    for number in range(12):
        tally.take([line(number, "x" * length) for length in range(1, 10)])
    parts = tally.of_collectors()
    assert sum(len(logs.sample) for logs in parts) == MAX_TARGET_SAMPLE
    assert sum(logs.lines for logs in parts) == 12 * 9
    assert parts[0].collectors == ("c0",)
    assert parts[0].sample != ()


def test_what_a_line_shows_is_inert_and_holds_no_secret():
    tally = LogTally({}, CULPRITS, ["hunter2", "a"])
    tally.take([line(1, b"\x1b]0;owned\x07 password=hunter2 \xff\x00 \xe2\x80\xae")])
    (logs,) = tally.of_collectors()
    (shown,) = logs.sample
    assert "hunter2" not in shown
    assert "password=[hidden]" in shown
    assert shown.isprintable()


def test_a_pattern_that_backtracks_endlessly_is_dropped():
    tally = LogTally({"errors": r"(a|aa)+$", "connections": "aaa"}, CULPRITS)
    begin = time.monotonic()
    tally.take([line(1, "a" * 4000 + "!")] * 50)
    assert time.monotonic() - begin < 50 * PATTERN_SECONDS
    assert tally.given_up == ["errors"]
    assert tally.counts() == {"connections": 50, "errors": None}


def test_an_invalid_pattern_is_dropped_and_stops_nothing():
    tally = LogTally({"errors": "(", "connections": "x"}, CULPRITS)
    tally.take([line(1, "x")])
    assert tally.counts() == {"connections": 1, "errors": None}


def test_of_a_very_long_line_only_the_beginning_is_searched():
    tally = LogTally({"errors": "ERROR"}, CULPRITS)
    tally.take([line(1, "x" * LINE_BYTES + "ERROR"), line(1, "x" * (LINE_BYTES - 5) + "ERROR")])
    assert tally.counts() == {"errors": 1}


@given(st.lists(st.binary(max_size=200)), st.floats(-100, 100))
def test_whatever_a_target_writes_is_counted_once_and_shown_inert(texts, seconds):
    tally = LogTally(PATTERNS, CULPRITS)
    tally.take([line(seconds, text) for text in texts])
    written = [text for text in texts if text.decode("utf-8", "replace").strip()]
    parts = tally.of_collectors()
    assert sum(logs.lines for logs in parts) == len(written)
    # What is safe to show stays as it is: another time nothing changes, so no character steers anything.
    assert all(printable(sample, limit=10_000) == sample for logs in parts for sample in logs.sample)
