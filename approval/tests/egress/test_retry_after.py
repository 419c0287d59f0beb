import pytest

from approval_api.egress.client import Answer
from approval_api.egress.retry_after import wait_asked_for


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
