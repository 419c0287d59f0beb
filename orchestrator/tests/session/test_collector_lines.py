import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_contract.discovery import MAX_LINE_BYTES, DiscoveryLine, EndLine, WarningLine
from dryrun_contract.text import printable
from dryrun_orchestrator.readers.line_splitter import LineSplitter
from dryrun_orchestrator.session.collector_lines import OutputTally, parse_line

HOST = b'{"type":"discovery","kind":"host","key":"10.213.0.3"}'
END = b'{"type":"end","discoveries":1}'


def tally_of(*lines):
    tally = OutputTally()
    for line in lines:
        tally.count(parse_line(line))
    return tally


@given(st.lists(st.binary(max_size=50).filter(lambda line: b"\n" not in line), max_size=20), st.data())
def test_lines_are_the_same_wherever_the_stream_is_cut(lines, data):
    stream = b"".join(line + b"\n" for line in lines)
    splitter = LineSplitter()
    seen = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        seen += splitter.feed(stream[:size])
        stream = stream[size:]
    assert seen + splitter.finish() == lines
    assert splitter.count == len(lines)


def test_a_line_of_ten_megabytes_is_one_warning_and_takes_little_memory():
    splitter = LineSplitter()
    for _ in range(10 * 1024):
        assert splitter.feed(b"x" * 1024) == []
    (line,) = splitter.feed(b"\n")
    assert len(line) == MAX_LINE_BYTES + 1
    word = parse_line(line)
    assert isinstance(word, WarningLine)
    assert "longer than 65536 bytes" in word.message


@given(st.binary(max_size=300))
def test_any_bytes_parse_to_a_word_or_to_a_printable_warning(line):
    word = parse_line(line)
    if isinstance(word, WarningLine):
        assert printable(word.message, limit=500) == word.message or json.loads(line)["type"] == "warning"


def test_the_last_line_without_a_break_counts():
    splitter = LineSplitter()
    assert splitter.feed(b"a\nb") == [b"a"]
    assert splitter.finish() == [b"b"]


def test_output_is_complete_when_the_end_line_is_last_and_counts_right():
    assert tally_of(HOST, END).why_incomplete(0) is None


def test_output_without_an_end_line_is_incomplete():
    assert "without its end line" in tally_of(HOST).why_incomplete(0)


def test_a_line_after_the_end_line_makes_it_no_end_line():
    assert "without its end line" in tally_of(HOST, END, b'{"type":"progress","done":1}').why_incomplete(0)


def test_an_end_line_that_counts_otherwise_is_incomplete():
    assert "counts 1 discoveries, 0 were read" in tally_of(b"garbage", END).why_incomplete(0)


def test_a_collector_that_crashed_is_incomplete_whatever_it_printed():
    assert "exit code 137" in tally_of(HOST, END).why_incomplete(137)


def test_words_of_the_contract_keep_their_types():
    assert isinstance(parse_line(HOST), DiscoveryLine)
    assert isinstance(parse_line(END), EndLine)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ('{"a":[' + "[]," * 17_000 + "[]]}", "more than 16384 values"),
        ('{"a":' + "[" * 20 + "]" * 20 + "}", "nested deeper than 16"),
        ('{"' + "k" * 5000 + '":1}', "an object key is longer than 4096"),
    ],
)
def test_a_line_made_to_grow_is_a_warning(data, why):
    line = f'{{"type":"discovery","kind":"host","key":"10.213.0.3","data":{data}}}'.encode()
    assert len(line) < MAX_LINE_BYTES
    word = parse_line(line)
    assert isinstance(word, WarningLine)
    assert why in word.message


def test_a_key_with_many_names_is_a_warning():
    word = parse_line(b'{"type":"discovery","kind":"host","key":"10.213.0.3:80/tcp' + b"/a" * 17 + b'"}')
    assert isinstance(word, WarningLine)
