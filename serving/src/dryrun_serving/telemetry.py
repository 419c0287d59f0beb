"""Whether a service exports traces and metrics: only where an operator names a collector."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator

from dryrun_serving.tracing import Record

if TYPE_CHECKING:
    from dryrun_serving.otlp import Exporter
    from dryrun_serving.otlp_figures import Family


def _collector_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("expected the base URL of a collector, like http://otel-collector:4318")
    return text.rstrip("/")


type CollectorUrl = Annotated[str, AfterValidator(_collector_url)]
"""A setting: the base URL of an OpenTelemetry collector that takes OTLP over HTTP."""

type Families = Callable[[], Iterable[Family]]
"""Returns the metrics that a service keeps, as prometheus_client has them."""


class Telemetry:
    """What a service exports: nothing, unless `endpoint` names a collector. Use it as a context."""

    def __init__(self, service: str, endpoint: str | None, families: Families) -> None:
        """`endpoint` is a collector's base URL; `families` returns the service's metrics."""
        self._service = service
        self._endpoint = endpoint
        self._families = families
        self._exporter: Exporter | None = None

    @property
    def record(self) -> Record | None:
        """What takes spans; None where nothing is exported."""
        return None if self._exporter is None else self._exporter.record

    async def __aenter__(self) -> Self:
        if self._endpoint is not None:
            # The libraries, their memory and threads are for those who asked for them.
            from dryrun_serving.otlp import Exporter

            self._exporter = Exporter(self._service, self._endpoint, self._families)
        return self

    async def __aexit__(self, *error: object) -> None:
        exporter, self._exporter = self._exporter, None
        if exporter is not None:
            await exporter.close()
