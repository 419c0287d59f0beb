"""What is kept of what was said."""

from approval_api.deliveries.sending.answers import shown


def test_an_answer_is_shown_printable_and_by_its_beginning():
    assert shown("a\x1b[31m" + "b" * 500, ["/a/hook"]) == "a\\x1b[31m" + "b" * 191 + "…"
    assert shown("", ["/a/hook"]) == ""


def test_of_what_is_repeated_further_on_no_part_is_shown():
    """What is cut off at the end of what is shown would leave its beginning there."""
    token = "0123456789abcdef"
    for place in (0, 100, 190, 199):
        assert shown("." * place + token, [token]) == "it repeats what was sent, and is not shown"
