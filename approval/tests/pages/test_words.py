"""Figures, times and hostile text as pages show them."""

from datetime import UTC, datetime

import pytest

from approval_api.pages import words


def test_a_time_states_its_zone_before_a_script_puts_in_the_viewers():
    at = datetime(2026, 1, 31, 9, 30, 5, 123000, tzinfo=UTC)
    assert words.moment(at) == (
        '<time datetime="2026-01-31T09:30:05.123Z" data-time="full">2026-01-31 09:30 UTC</time>'
    )
    assert words.moment(at, "clock").endswith(">09:30:05 UTC</time>")
    assert words.moment(None) == words.NOTHING == words.duration(None) == words.ratio(None)


def test_evidence_keeps_its_lines_and_nothing_else_that_steers():
    shown = words.evidence({"banner": "a\u202eb\x1b[31m", "rows": 3})
    assert shown == '{\n  "banner": "a\\u202eb\\u001b[31m",\n  "rows": 3\n}'


def test_evidence_and_gist_are_cut_where_a_target_sends_megabytes():
    flood = {"banner": "x" * 10_000_000}
    assert len(words.evidence(flood)) < 600
    assert len(words.gist(flood)) == 121
    assert len(words.evidence({str(row): row for row in range(100_000)})) < 8100


class Counted(list):
    """A list that counts what is taken from it."""

    taken = 0

    def __iter__(self):
        for each in super().__iter__():
            self.taken += 1
            yield each


class Looked(dict):
    """A mapping that counts what is looked at."""

    taken = 0

    def __getitem__(self, name):
        self.taken += 1
        return super().__getitem__(name)


@pytest.mark.parametrize("text", ["column", ""])
def test_a_line_of_a_discovery_costs_no_more_than_what_it_shows(text):
    values = Counted([text] * 16_000)
    many = Looked({f"attribute {number}": text for number in range(16_000)})
    assert len(words.gist({"columns": values})) == len(words.gist(many)) == (121 if text else 0)
    assert values.taken <= words._MOST_VALUES + 1
    assert many.taken <= words._MOST_VALUES + 1
