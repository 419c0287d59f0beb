"""A session and its phases as spans of the trace that its request belongs to.

Their ids follow from the request's, which is in the journal: a process that resumes a session after a crash
continues its trace, and what the earlier one sent still has its parents.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from dryrun_contract.session import Outcome
from dryrun_contract.trace_context import TraceContext, request_of
from dryrun_orchestrator.journal.records import SessionRecord
from dryrun_orchestrator.session.context import SessionContext
from dryrun_serving.tracing import Span, inside


@contextmanager
def phase_span(context: SessionContext, record: SessionRecord) -> Iterator[None]:
    """Make the block's calls children of the session's phase, and record that when the next is entered."""
    session = _session_of(record)
    phase = session.child(record.phase)
    with inside(phase, context.record_span):
        yield
    if context.record_span is not None:
        begin, end = record.phase_since.timestamp(), context.now().timestamp()
        name = f"phase {record.phase}"
        context.record_span(Span(name, phase, session, begin, end, attributes=_attributes(record)))


def record_session(context: SessionContext, record: SessionRecord) -> None:
    """Record a session that has ended, from its request to its removal."""
    if context.record_span is None or record.ended_at is None:
        return
    attributes = {**_attributes(record), "dryrun.session.outcome": record.outcome or Outcome.FAILED}
    context.record_span(
        Span(
            "session",
            _session_of(record),
            TraceContext.read(record.traceparent),
            record.created_at.timestamp(),
            record.ended_at.timestamp(),
            "server",
            attributes,
            failed=record.outcome is Outcome.FAILED,
        )
    )


def _session_of(record: SessionRecord) -> TraceContext:
    return (TraceContext.read(record.traceparent) or request_of(record.id)).child("session")


def _attributes(record: SessionRecord) -> dict[str, str | int]:
    return {
        "dryrun.session.id": str(record.id),
        "dryrun.session.template": record.template,
        "dryrun.session.seed": record.seed,
    }
