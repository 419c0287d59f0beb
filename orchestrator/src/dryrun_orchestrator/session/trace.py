"""Records where the time goes until a session's targets are ready."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from dryrun_contract.event import MAX_SPANS, BringUpSpan, BringUpTraced, SpanName


class Trace:
    """The steps of one session in this process, by a monotonic clock that begins with the request."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._zero = monotonic()
        self._spans: list[tuple[SpanName, str | None, float, float]] = []

    def begin(self, queued_at: datetime, now: datetime) -> None:
        """Count from when the session was queued, and note how long it waited for its place."""
        here = self._monotonic()
        self._zero = here - max((now - queued_at).total_seconds(), 0.0)
        self.add("queue", None, self._zero, here)

    @contextmanager
    def span(self, step: SpanName, service: str | None = None) -> Iterator[None]:
        """Record the block as one step, also when it fails."""
        begin = self._monotonic()
        try:
            yield
        finally:
            self.add(step, service, begin, self._monotonic())

    def add(self, step: SpanName, service: str | None, begin: float, end: float) -> None:
        """Record a step between two readings of the clock. Beyond MAX_SPANS nothing is recorded."""
        if len(self._spans) < MAX_SPANS:
            self._spans.append((step, service, begin, end))

    def event(self) -> BringUpTraced:
        """Return what was recorded, in order of beginning."""
        spans = (
            BringUpSpan(
                step=step,
                service=service,
                begin=round(max(begin - self._zero, 0.0), 3),
                seconds=round(max(end - begin, 0.0), 3),
            )
            for step, service, begin, end in sorted(self._spans, key=lambda span: span[2])
        )
        return BringUpTraced(spans=tuple(spans))
