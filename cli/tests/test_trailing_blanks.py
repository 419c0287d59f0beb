"""A listing that a program reads ends each line with its last word."""

import io

import pytest

from dryrun_cli.drawing.trailing_blanks import WithoutTrailingBlanks


@pytest.mark.parametrize(
    "command",
    [("templates",), ("list",), ("production", "list"), ("production", "scans"), ("criteria", "list")],
)
def test_no_line_of_a_piped_listing_has_blanks_at_its_end(run, api, command):
    for number in range(2):
        api.add_session(outcome="completed", reason="x" * 9 * number)
        row = {"id": number, "revision": 1, "change": "new", "status": "pending", "kind": "host"}
        api.production.append(row | {"key": "x" * number, "collector": "network"})
    code, out, _ = run(*command)
    assert code == 0
    assert [line for line in out.splitlines() if line != line.rstrip()] == []
    assert out.endswith("\n")


def test_only_blanks_before_the_end_of_a_line_are_left_out():
    stream = io.StringIO()
    WithoutTrailingBlanks(stream).write(" a  b  \n\n\t \nc ")
    assert stream.getvalue() == " a  b\n\n\nc "
