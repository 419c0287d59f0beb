"""A session and its phases as spans of the trace that its request belongs to.

Their ids follow from the request's, which is in the journal: a process that resumes a session after a crash
continues its trace, and what the earlier one sent still has its parents.
"""

from contextlib import AbstractContextManager
from datetime import datetime

from dryrun_contract.session import Outcome
from dryrun_contract.trace_context import TraceContext, request_of
from dryrun_orchestrator.journal.records import SessionRecord
from dryrun_orchestrator.session.context import SessionContext
from dryrun_serving.tracing import Span, inside


def inside_phase(context: SessionContext, record: SessionRecord) -> AbstractContextManager[None]:
    """Make the block's calls children of the session's phase."""
    return inside(_session_of(record).child(record.phase), context.record_span)


def record_phase(context: SessionContext, record: SessionRecord, end: datetime) -> None:
    """Record a phase that the session left at `end`, which is when the next began."""
    if context.record_span is None:
        return
    session = _session_of(record)
    phase = session.child(record.phase)
    begin, name = record.phase_since.timestamp(), f"phase {record.phase}"
    context.record_span(Span(name, phase, session, begin, end.timestamp(), attributes=_attributes(record)))


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
