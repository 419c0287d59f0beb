"""The orchestrator's internal API as this service uses it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
from pydantic import TypeAdapter, ValidationError

from approval_api.orchestrator.errors import (
    OrchestratorError,
    OrchestratorRefusedError,
    OrchestratorUnavailableError,
    PageRefusedError,
)
from approval_api.orchestrator.page_head import read_head
from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, read_model
from dryrun_contract.event import PAGE_BOUNDS, SNAPSHOT_BOUNDS, EventPage, Snapshot
from dryrun_contract.faults import first_fault
from dryrun_contract.fleet import Fleet
from dryrun_contract.pool import Pool
from dryrun_contract.problem import Problem
from dryrun_contract.scan_choice import NO_CHOICE, ScanChoice
from dryrun_contract.session import Session, SessionRequest, SessionView
from dryrun_contract.template import Template, TemplateSummary
from dryrun_contract.trace_context import HEADER, request_of
from dryrun_serving.tracing import Record, Span, client_span, inside

logger = logging.getLogger(__name__)

WAIT_SECONDS = 30
PAGE_EVENTS = 500
CONNECT_SECONDS = 3.0
SILENCE_SECONDS = 10.0
"""Longest silence before an answer, or in it."""
WHOLE_SECONDS = 30.0
"""For all of an answer beyond that, so that one that arrives byte by byte ends too."""
IDLE_SECONDS = 2.0
"""A connection that was idle for longer is not used again: uvicorn closes one after 5 s, and a request
that is sent at that moment has no answer."""
PATIENCE_SECONDS = 1.0
"""How long somebody waits for an answer that they can do without."""
_BOUNDS = JsonBounds(size=4 * 1024 * 1024, values=300_000)
"""Bounds of every answer except events; the largest are a template with its ground truth, and their list."""
_OF_THE_MOMENT = frozenset({408, 429})
"""Refusals, like every 5xx, that say nothing of what was asked: it has too much to do, or is ending."""
_SUMMARIES = TypeAdapter(tuple[TemplateSummary, ...])


@dataclass(frozen=True, slots=True)
class _Answer:
    request: str
    """Its method and path."""
    status: int
    body: bytes
    """The bytes that were read: at most one more than the ceiling."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far events are stored: up to `seq` of `journal`."""

    journal: UUID
    seq: int


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page of events as it was read."""

    page: EventPage
    size: int
    """Its bytes."""
    seconds: float
    """That reading took, once it had arrived."""


@dataclass(frozen=True, slots=True)
class Asker:
    """The person behind a request, for the orchestrator's audit log."""

    actor: str
    request_id: str

    def headers(self) -> dict[str, str]:
        """Return the headers that name them."""
        return {"X-Actor": self.actor, "X-Request-Id": self.request_id}


async def at_once[T](answer: Awaitable[T], what: str) -> T | None:
    """Return an answer of the orchestrator; None if it takes longer than PATIENCE_SECONDS, or is an error.

    Then `what` was asked is logged as unknown.
    """
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await answer
    except (OrchestratorError, TimeoutError) as error:
        logger.info("%s: unknown", what, extra={"reason": str(error) or type(error).__name__})
        return None


class OrchestratorClient:
    """One pooled connection to the orchestrator; every call has a deadline."""

    record_span: Record | None = None
    """Takes spans, where they are exported."""

    def __init__(self, base_url: str, token: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        """Connect to `base_url`; `transport` is for tests."""
        self._http = httpx2.AsyncClient(
            base_url=base_url.rstrip("/"),
            # Not compressed: the ceiling has to hold for the unpacked bytes.
            headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"},
            transport=transport,
            limits=httpx2.Limits(
                max_connections=100, max_keepalive_connections=20, keepalive_expiry=IDLE_SECONDS
            ),
            # An internal address: no proxy or certificate file from the environment may interfere.
            trust_env=False,
            # Without TLS no certificates are read, which takes 10 ms.
            verify=urlsplit(base_url).scheme != "http",
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._http.aclose()

    async def templates(self) -> tuple[TemplateSummary, ...]:
        """Return the templates that may be started."""
        return _parse(_SUMMARIES, _checked(await self._send("GET", "/templates")))

    async def template_ids(self) -> list[str]:
        """Return the ids of the templates that may be started, small ones first; none without an answer."""
        try:
            return [each.id for each in sorted(await self.templates(), key=lambda each: len(each.services))]
        except OrchestratorError:
            return []

    async def template(self, template_id: str, seed: int = 0, scan: ScanChoice = NO_CHOICE) -> Template:
        """Return one template with the ground truth of that seed, and the collectors that `scan` chooses.

        Raises OrchestratorRefusedError for an unknown one, and for a choice that cannot be made.
        """
        params: dict[str, str | int] = {"seed": seed, "scan": scan.model_dump_json()}
        return _parse(Template, _checked(await self._send("GET", f"/templates/{template_id}", params=params)))

    async def pool(self) -> Pool:
        """Return what is prepared; requesting the id of a prepared session claims it."""
        return _parse(Pool, _checked(await self._send("GET", "/pool")))

    async def fleet(self) -> Fleet:
        """Return the hosts of the fleet; none where there is no fleet."""
        return _parse(Fleet, _checked(await self._send("GET", "/hosts")))

    async def put_session(self, session_id: UUID, request: SessionRequest, asker: Asker) -> Session:
        """Request a session; repeating it with the same id has no effect."""
        with self._traced(session_id, "PUT", "/sessions/{id}") as trace:
            headers, json = {**asker.headers(), **trace}, request.model_dump(mode="json")
            answer = await self._send("PUT", f"/sessions/{session_id}", json=json, headers=headers)
            body = _checked(answer)
        return _parse(Session, body)

    async def stop_session(self, session_id: UUID, asker: Asker) -> Session:
        """Request a session's end; it has ended only when its last event says so."""
        with self._traced(session_id, "POST", "/sessions/{id}/stop") as trace:
            headers = {**asker.headers(), **trace}
            answer = await self._send("POST", f"/sessions/{session_id}/stop", headers=headers)
            body = _checked(answer)
        return _parse(Session, body)

    def trace_request(self, session: SessionView) -> None:
        """Record the first span of a session's trace: from its request until the orchestrator took it."""
        if self.record_span is None or session.accepted_at is None:
            return
        begin, end = session.requested_at.timestamp(), session.accepted_at.timestamp()
        attributes: dict[str, str | int] = {
            "dryrun.session.id": str(session.id),
            "dryrun.session.template": session.template,
            "dryrun.session.seed": session.seed,
        }
        place = request_of(session.id)
        self.record_span(Span("session requested", place, None, begin, end, "server", attributes))

    @contextmanager
    def _traced(self, session_id: UUID, method: str, route: str) -> Iterator[dict[str, str]]:
        """Make a span of a command in the session's trace; yields the headers that name it."""
        attributes = {
            "http.request.method": method,
            "url.template": route,
            "peer.service": "dryrun-orchestrator",
        }
        with (
            inside(request_of(session_id), self.record_span),
            client_span(f"{method} {route}", attributes) as trace,
        ):
            yield {} if trace is None else {HEADER: trace.header()}

    async def events(
        self, after: Position | None, *, wait: bool, limit: int = PAGE_EVENTS
    ) -> ReadPage | Snapshot:
        """Return at most `limit` events after the position; a Snapshot when the position is gone.

        With `wait` an answer without events comes only after 30 s. Raises PageRefusedError for a page beyond
        PAGE_BOUNDS, or one with an event that does not follow the contract.
        """
        params: dict[str, str | int] = {"wait": WAIT_SECONDS if wait else 0, "limit": limit}
        if after is not None:
            params["after"] = f"{after.journal}:{after.seq}"
        answer = await self._send(
            "GET", "/events", params=params, silence=WAIT_SECONDS + 15, ceiling=SNAPSHOT_BOUNDS.size
        )
        if answer.status == httpx2.codes.GONE:
            return _parse(Snapshot, answer.body, SNAPSHOT_BOUNDS)
        body = _checked(answer)
        try:
            begun = time.monotonic()
            page = read_model(EventPage, body, PAGE_BOUNDS)
            return ReadPage(page, len(body), time.monotonic() - begun)
        except OutOfBoundsError as error:
            raise PageRefusedError(str(error), read_head(body)) from error
        except ValidationError as error:
            raise PageRefusedError(first_fault(error), read_head(body)) from error

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        silence: float = SILENCE_SECONDS,
        ceiling: int = _BOUNDS.size,
    ) -> _Answer:
        """Ask, and return what came; reading stops at the first byte beyond `ceiling`."""
        body = bytearray()
        timeout = httpx2.Timeout(silence, connect=CONNECT_SECONDS)
        try:
            async with (
                asyncio.timeout(silence + WHOLE_SECONDS),
                self._http.stream(
                    method, path, params=params, json=json, headers=headers, timeout=timeout
                ) as response,
            ):
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise OrchestratorUnavailableError(f"the orchestrator compressed its answer to {path}")
                async for piece in response.aiter_bytes():
                    body += piece[: ceiling + 1 - len(body)]
                    if len(body) > ceiling:
                        break
        except (httpx2.HTTPError, TimeoutError) as error:
            raise OrchestratorUnavailableError(
                f"the orchestrator does not answer ({str(error) or type(error).__name__})"
            ) from error
        return _Answer(f"{method} {path}", response.status_code, bytes(body))


def _checked(answer: _Answer) -> bytes:
    """Return the body of a success.

    Raises OrchestratorRefusedError for a refusal with a problem that repeating does not heal,
    OrchestratorUnavailableError otherwise.
    """
    status = answer.status
    if httpx2.codes.is_success(status):
        return answer.body
    try:
        problem = read_model(Problem, answer.body, _BOUNDS)
    except ValueError:
        problem = None
    if status == httpx2.codes.UNAUTHORIZED:
        # Our mistake, not the client's: a 401 would make the client doubt its own token.
        raise OrchestratorUnavailableError(
            "the orchestrator refuses this service's token; compare APPROVAL_ORCHESTRATOR_TOKEN with its own"
        )
    if problem is not None and httpx2.codes.is_client_error(status) and status not in _OF_THE_MOMENT:
        raise OrchestratorRefusedError(problem)
    raise OrchestratorUnavailableError(
        f"the orchestrator answered {answer.request} with {status}"
        + (f": {problem.detail}" if problem else " and no problem details")
    )


def _parse[T](model: type[T] | TypeAdapter[T], body: bytes, bounds: JsonBounds = _BOUNDS) -> T:
    try:
        return read_model(model, body, bounds)
    except OutOfBoundsError as error:
        raise OrchestratorUnavailableError(f"the orchestrator's answer is {error}") from error
    except ValidationError as error:
        raise OrchestratorUnavailableError(
            f"the orchestrator's answer does not follow the contract: {first_fault(error)}; "
            "both services need to have the same version"
        ) from error
