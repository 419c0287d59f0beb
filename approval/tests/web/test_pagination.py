"""Cursors: what a list did not give out itself is a fault of the request, whatever it holds."""

import base64
import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from approval_api.discoveries.listing import _read_cursor
from approval_api.sessions.listing import older_than
from approval_api.web.pagination import from_cursor, to_cursor
from approval_api.web.problems import ProblemError

LISTS = (
    "/api/v1/dryrun/sessions",
    "/api/v1/dryrun/discoveries",
    "/api/v1/production/discoveries",
    "/api/v1/production/discoveries?sort=key",
    "/api/v1/audit",
    "/dryrun/sessions",
    "/audit",
)


def packed(text):
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


ODD = [
    "[" * 2_000,
    packed("[" * 3_000),
    packed("[" * 30_000)[:6_000],
    packed('{"a":' * 300),
    packed("[" + "1," * 500 + "1]"),
    packed("[" + "9" * 2_000 + "]"),
    packed("[NaN]"),
    packed("[1e999]"),
    packed("[9223372036854775808]"),
    packed("[-1]"),
    packed("[null]"),
    packed("[true, 1, 2]"),
    packed('["\\ud800",1]'),
    packed('["\\u0000",1]'),
    packed('["0001-01-01T00:00:00+23:59","7c9e6679-7425-40de-944b-e07fc1f90ae7"]'),
    packed('["9999-12-31T23:59:59-23:59","7c9e6679-7425-40de-944b-e07fc1f90ae7"]'),
    packed('["2026-01-01T00:00:00","7c9e6679-7425-40de-944b-e07fc1f90ae7"]'),
    packed("1"),
    packed('"text"'),
    packed(b"\xff\xfe["),
    "%00",
    "ü",
    "=",
    "A",
]


@pytest.fixture
def programs():
    return "ada/admin"


@pytest.mark.parametrize("path", LISTS)
async def test_an_odd_cursor_is_a_422(api, path):
    for cursor in ODD:
        answer = await api.client.get(path, params={"cursor": cursor, **_query(path)})
        assert answer.status_code == 422, (cursor[:80], answer.text)
        assert answer.json()["type"] == "urn:dryrun:problem:invalid-request"


def _query(path):
    return {"sort": "key"} if "sort=" in path else {}


async def test_a_cursor_of_30000_brackets_is_refused(api):
    for cursor in ("[" * 30_000, packed("[" * 30_000)):
        with pytest.raises(ProblemError) as refused:
            from_cursor(cursor, older_than)
        assert refused.value.problem.status == 422
    answer = await api.get("/sessions", params={"cursor": packed("[" * 30_000)})
    assert (answer.status_code, answer.json()["type"]) == (431, "urn:dryrun:problem:head-too-large")


@given(st.text() | st.binary().map(packed) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).map(lambda value: packed(json.dumps(value))))  # fmt: skip
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_cursor_is_read_or_refused(cursor):
    for read in (_read_cursor, older_than):
        # Any other error fails the test.
        with suppress(ProblemError):
            from_cursor(cursor, read)


@given(st.text(max_size=200), st.integers(0, 2**63 - 1))
def test_a_list_reads_back_the_cursors_it_issued(text, row_id):
    text = text.replace("\x00", "").encode("utf-8", "ignore").decode()
    assert from_cursor(to_cursor(text, row_id), _read_cursor) == (text, row_id)
