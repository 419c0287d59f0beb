"""What an answer means: how long to wait, and what is kept of what was said."""

import pytest

from approval_api.deliveries.sending.answers import shown, wait_asked_for
from approval_api.egress.client import Answer


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("999999999", 3600.0),
        ("9" * 400, None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Fri, 31 Dec 99999999999999 23:59:59 GMT", None),
        ("Fri, 31 Dec 2030 23:59:59 +99999999999999", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("-1", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_wait_is_read_or_none_and_at_most_an_hour(said, seconds):
    assert wait_asked_for(Answer(503, {"retry-after": said}, b"")) == seconds


def test_an_answer_is_shown_printable_and_by_its_beginning():
    assert shown("a\x1b[31m" + "b" * 500, ["/a/hook"]) == "a\\x1b[31m" + "b" * 191 + "…"
    assert shown("", ["/a/hook"]) == ""


def test_of_what_is_repeated_further_on_no_part_is_shown():
    """What is cut off at the end of what is shown would leave its beginning there."""
    token = "0123456789abcdef"
    for place in (0, 100, 190, 199):
        assert shown("." * place + token, [token]) == "it repeats what was sent, and is not shown"
