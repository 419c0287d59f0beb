"""Spans of the calls that change something on an engine; spans of mere queries would bury them."""

from collections.abc import Iterator
from contextlib import contextmanager

from dryrun_contract.trace_context import TraceContext
from dryrun_orchestrator.engine.docker_errors import Call
from dryrun_serving.tracing import client_span

_WORDS = frozenset({"containers", "networks", "create", "start", "attach"})
"""Words of paths that change something; any other part of such a path is an id."""


@contextmanager
def traced(call: Call) -> Iterator[TraceContext | None]:
    """Record a call inside a session's phase; yields the context to send to the guard, None for none."""
    if call.method == "GET":
        yield None
        return
    words = (word if word in _WORDS else "{id}" for word in call.path.strip("/").split("/"))
    route = f"/{'/'.join(words)}"
    attributes = {"http.request.method": call.method, "url.template": route, "peer.service": "docker-guard"}
    with client_span(f"{call.method} {route}", attributes) as trace:
        yield trace
