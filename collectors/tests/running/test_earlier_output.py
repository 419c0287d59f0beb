"""What an earlier collector wrote is read as a whole, or is known to be cut off."""

import json

import pytest

from discovery_collectors.running.earlier_output import read_output

SERVICE = {
    "type": "discovery",
    "kind": "service",
    "key": "10.0.0.3:80/tcp",
    "data": {"product": "a\u2028b\x85c"},
}


def end(discoveries, *not_covered):
    return {"type": "end", "discoveries": discoveries, "not_covered": not_covered}


@pytest.fixture
def read(tmp_path):
    def read(*lines):
        path = tmp_path / "found.ndjson"
        text = "".join(json.dumps(line, ensure_ascii=False) + "\r\n" for line in lines)
        path.write_text(text, encoding="utf-8", newline="")
        return read_output(str(path))

    return read


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "has no end line"),
        ([SERVICE], "has no end line"),
        ([SERVICE, end(1), SERVICE], "has no end line"),
        ([SERVICE, end(2)], "promises 2 discoveries and has 1"),
        ([end(1)], "promises 1 discovery and has 0"),
    ],
)
def test_what_is_cut_off_is_known_to_be(read, lines, why):
    assert f"the output of the earlier scan {why}" in (read(*lines).cut_off or "")


def test_several_outputs_are_read_one_after_the_other(read):
    output = read(SERVICE, end(1, "10.0.0.8/32"), SERVICE, end(1, "10.0.0.9/32"))
    assert (len(output.discoveries), output.cut_off) == (2, None)
    assert output.not_covered == ("10.0.0.8/32", "10.0.0.9/32")
    assert read(end(0)).cut_off is None


def test_a_text_with_a_separator_that_is_no_line_feed_is_one_line(read):
    output = read(SERVICE, end(1))
    assert [each.data for each in output.discoveries] == [SERVICE["data"]]
