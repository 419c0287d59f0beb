"""An OpenTelemetry collector for tests: takes OTLP over HTTP as the specification has it, or misbehaves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class Received:
    """A span as it arrived."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    begin: int
    end: int
    attributes: dict[str, object]
    failed: bool


class Receiver:
    """What arrived, and how it answers from now on: `ok`, `hang`, `reset`, `redirect` or `flood`."""

    def __init__(self) -> None:
        self.url = ""
        self.mode = "ok"
        self.spans: list[Received] = []
        self.metrics: dict[str, set[str]] = {}
        """Names of figures by service."""
        self.requests = 0
        self.strayed = 0
        """Requests at the place that a redirect names."""
        self._flooded = 0
        self.closing = asyncio.Event()

    def of_trace(self, trace: str) -> list[Received]:
        return [span for span in self.spans if span.trace == trace]

    async def take_spans(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if (other := await self._misbehave(request)) is not None:
            return other
        assert request.content_type == PROTOBUF
        for of_service in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(
                each.value.string_value
                for each in of_service.resource.attributes
                if each.key == "service.name"
            )
            for scope in of_service.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Received(
                            service, span.name, span.trace_id.hex(), span.span_id.hex(),
                            span.parent_span_id.hex(), span.start_time_unix_nano, span.end_time_unix_nano,
                            {
                                each.key: getattr(each.value, each.value.WhichOneof("value"))
                                for each in span.attributes
                            },
                            span.status.code == span.status.STATUS_CODE_ERROR,
                        )
                    )  # fmt: skip
        return web.Response(body=ExportTraceServiceResponse().SerializeToString(), content_type=PROTOBUF)

    async def take_metrics(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if (other := await self._misbehave(request)) is not None:
            return other
        for of_service in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            names = self.metrics.setdefault(of_service.resource.attributes[0].value.string_value, set())
            names |= {metric.name for scope in of_service.scope_metrics for metric in scope.metrics}
        return web.Response(body=ExportMetricsServiceResponse().SerializeToString(), content_type=PROTOBUF)

    async def stray(self, request: web.Request) -> web.Response:
        self.strayed += 1
        return web.Response()

    async def _misbehave(self, request: web.Request) -> web.StreamResponse | None:
        self.requests += 1
        match self.mode:
            case "hang":
                await self.closing.wait()
                return web.Response(status=503)
            case "reset":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "redirect":
                return web.Response(status=307, headers={"Location": f"{self.url}/elsewhere"})
            case "flood":
                answer = web.StreamResponse()
                await answer.prepare(request)
                while not self.closing.is_set():
                    await answer.write(b"x" * 65536)
                return answer
        return None


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Serve at a free port of the loopback while the block runs."""
    receiver = Receiver()
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_post("/v1/traces", receiver.take_spans)
    app.router.add_post("/v1/metrics", receiver.take_metrics)
    app.router.add_route("*", "/elsewhere", receiver.stray)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        receiver.closing.set()
        await runner.cleanup()
