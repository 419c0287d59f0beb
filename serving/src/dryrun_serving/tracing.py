"""Spans: which piece of work took how long, in which trace. Off, until an exporter is given.

A span is recorded when it has ended. What runs inside one learns of it from the context of its task, so
adapters that make spans of their calls need not know whether anybody wants them.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

from dryrun_contract.trace_context import TraceContext


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of work that has ended. Times are seconds since 1970.

    Names and attributes are of closed sets, except for the id of a session: nothing that a client, a target
    or a collector said, and no secret.
    """

    name: str
    context: TraceContext
    parent: TraceContext | None
    begin: float
    end: float
    kind: Literal["internal", "client", "server"] = "internal"
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    failed: bool = False


type Record = Callable[[Span], None]
"""Takes a span over; returns at once, and never raises."""


@dataclass(frozen=True, slots=True)
class _Place:
    context: TraceContext
    record: Record


_here: ContextVar[_Place | None] = ContextVar("span", default=None)


@contextmanager
def inside(context: TraceContext, record: Record | None) -> Iterator[None]:
    """Make the spans of calls in the block children of `context`; without `record`, there are none."""
    token = _here.set(None if record is None else _Place(context, record))
    try:
        yield
    finally:
        _here.reset(token)


@contextmanager
def client_span(name: str, attributes: Mapping[str, str | int]) -> Iterator[TraceContext | None]:
    """Record the block as a call to another service, failed when it raises.

    Yields the context to pass on to the other service; None where nothing is traced.
    """
    here = _here.get()
    if here is None:
        yield None
        return
    context = TraceContext(here.context.trace_id, random.getrandbits(64) or 1)
    # Never twice from the wall clock, which may be set in between.
    begin, started = time.time(), time.monotonic()
    failed = True
    try:
        yield context
        failed = False
    finally:
        end = begin + time.monotonic() - started
        here.record(Span(name, context, here.context, begin, end, "client", attributes, failed))
