"""Sends spans and metrics to an OpenTelemetry collector, by OTLP over HTTP. Imported only where one is named.

Nothing here may cost the service anything: what does not fit the queue is dropped, an export has a deadline,
and nobody waits for one. The collector's answer is hostile input: of it only the status is read.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from dryrun_contract.trace_context import TraceContext
from dryrun_serving.otlp_figures import Family, metrics_of
from dryrun_serving.tracing import Span

logger = logging.getLogger(__name__)

EXPORT_SECONDS = 5.0
"""Longest time of one export with its retries."""
MAX_QUEUE = 2048
"""Spans; the oldest are dropped. A session of 20 targets has some 150."""
BATCH = 256
PAUSE_SECONDS = 1.0
FIGURES_SECONDS = 30.0
CLOSE_SECONDS = 3.0
"""Longest time for what is still queued when the process ends."""
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT, "server": SpanKind.SERVER}


class Exporter:
    """Exports one service's spans and metrics until `close`; each from a thread of its own."""

    def __init__(self, service: str, endpoint: str, families: Callable[[], Iterable[Family]]) -> None:
        """Send to `endpoint`, the base URL of a collector; `families` returns the metrics as they are now."""
        # One line for each export that failed, and none for its retries.
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)
        self._ids = _ChosenIds()
        self._resource = Resource({"service.name": service})
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=self._resource, shutdown_on_exit=False, id_generator=self._ids
        )
        spans = OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=EXPORT_SECONDS, session=_StatusOnly())
        self._provider.add_span_processor(
            BatchSpanProcessor(
                spans,
                max_queue_size=MAX_QUEUE,
                max_export_batch_size=BATCH,
                schedule_delay_millis=PAUSE_SECONDS * 1000,
            )
        )
        self._tracer = self._provider.get_tracer("dryrun")
        self._families = families
        self._begun = time.time_ns()
        self._figures = OTLPMetricExporter(
            f"{endpoint}/v1/metrics", timeout=EXPORT_SECONDS, session=_StatusOnly()
        )
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._send_figures, name="otlp figures", daemon=True)
        self._thread.start()

    def record(self, span: Span) -> None:
        """Queue a span. Called from the event loop's thread only."""
        self._ids.next = span.context
        started = self._tracer.start_span(
            span.name,
            _inside(span.parent),
            kind=_KINDS[span.kind],
            attributes=span.attributes,
            start_time=int(span.begin * 1e9),
        )
        if span.failed:
            started.set_status(Status(StatusCode.ERROR))
        started.end(int(max(span.end, span.begin) * 1e9))

    async def close(self) -> None:
        """Send what is queued, for at most `CLOSE_SECONDS`; the rest is lost."""
        closing = threading.Thread(target=self._close, name="otlp close", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, CLOSE_SECONDS)

    def _close(self) -> None:
        self._closing.set()
        self._provider.shutdown()
        self._thread.join()
        self._figures.shutdown()

    def _send_figures(self) -> None:
        scope = InstrumentationScope("dryrun")
        last = False
        while not last:
            last = self._closing.wait(FIGURES_SECONDS)
            try:
                self._figures.export(metrics_of(self._families(), self._resource, scope, self._begun))
            except Exception:
                # Nobody awaits this thread: its end would be silent, and the figures stop for good.
                logger.exception("figures could not be sent to the OpenTelemetry collector; trying again")


class _ChosenIds(IdGenerator):
    """Gives the next span the ids that its recorder chose."""

    next: TraceContext

    def generate_span_id(self) -> int:
        return self.next.span_id

    def generate_trace_id(self) -> int:
        return self.next.trace_id


def _inside(parent: TraceContext | None) -> Context:
    if parent is None:
        return Context()
    remote = SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=_SAMPLED)
    return set_span_in_context(NonRecordingSpan(remote), Context())


class _StatusOnly(requests.Session):
    """Reads no body of an answer, follows no redirect, and takes no proxy from the environment."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    # Only the exporter calls it, by names.
    def request(self, method: str, url: str | bytes, **options: Any) -> requests.Response:  # type: ignore[override]
        options |= {"stream": True, "allow_redirects": False}
        answer = super().request(method, url, **options)
        answer.close()
        # Quoted in the exporter's log otherwise: it is whatever the other side wrote.
        answer.reason = ""
        return answer
