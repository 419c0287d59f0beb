from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dryrun_contract.trace_context import TraceContext, request_of

GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    "text",
    [
        None, "", GOOD + "-more", " " + GOOD, GOOD + "\n", GOOD.upper(), "01" + GOOD[2:], "ff" + GOOD[2:],
        "00-" + "0" * 32 + GOOD[35:], GOOD[:36] + "0" * 16 + "-01", GOOD[:-1], GOOD.replace("-", "_"),
        "x" * 10**6,
    ],
)  # fmt: skip
def test_any_other_form_than_version_00_is_no_context(text):
    assert TraceContext.read(text) is None


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1))
def test_a_context_survives_its_header(trace, span):
    context = TraceContext(trace, span)
    assert TraceContext.read(context.header()) == context


@given(st.uuids(version=4))
def test_a_sessions_trace_has_its_id_and_every_process_finds_the_same_spans_there(session_id):
    request = request_of(session_id)
    assert UUID(int=request.trace_id) == session_id
    assert request == request_of(UUID(str(session_id)))
    assert request.child("a") == request.child("a") != request.child("b")
    assert request.child("a").span_id
