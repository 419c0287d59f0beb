"""The orchestrator's internal API as this service uses it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import httpx2
from pydantic import TypeAdapter, ValidationError

from dryrun_contract.event import EventPage, Snapshot
from dryrun_contract.problem import Problem
from dryrun_contract.session import Session, SessionRequest
from dryrun_contract.template import Template, TemplateSummary

WAIT_SECONDS = 30
PAGE_EVENTS = 500
_DEADLINE = httpx2.Timeout(10, connect=3)
_POLL_DEADLINE = httpx2.Timeout(WAIT_SECONDS + 15, connect=3)
_SUMMARIES = TypeAdapter(tuple[TemplateSummary, ...])


class OrchestratorUnavailableError(Exception):
    """It does not answer, or not in the contract's words; this may heal."""


class OrchestratorRefusedError(Exception):
    """It said no, and why; asking again does not help."""

    def __init__(self, problem: Problem) -> None:
        """Keep the orchestrator's own `problem`, to be passed on."""
        super().__init__(problem.detail)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Position:
    """How far events are known: `seq` of `journal`."""

    journal: UUID
    seq: int


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, for the orchestrator's audit journal."""

    actor: str
    request_id: str

    def headers(self) -> dict[str, str]:
        """Return the headers that carry it."""
        return {"X-Actor": self.actor, "X-Request-Id": self.request_id}


class OrchestratorClient:
    """One pooled connection to the orchestrator; every call has a deadline."""

    def __init__(self, base_url: str, token: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        """Speak to `base_url`; `transport` is for tests."""
        self._http = httpx2.AsyncClient(
            base_url=base_url.rstrip("/"),
            headers={"Authorization": f"Bearer {token}"},
            timeout=_DEADLINE,
            transport=transport,
            # An internal address: no proxy and no certificate file of the environment may come between.
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._http.aclose()

    async def templates(self) -> tuple[TemplateSummary, ...]:
        """Return what may be started."""
        body = await self._ask("GET", "/templates")
        return _parse(_SUMMARIES, body)

    async def template(self, template_id: str, seed: int = 0) -> Template:
        """Return one template with the ground truth of that seed.

        Raises OrchestratorRefusedError for an unknown one.
        """
        body = await self._ask("GET", f"/templates/{template_id}", params={"seed": seed})
        return _parse(TypeAdapter(Template), body)

    async def put_session(self, session_id: UUID, request: SessionRequest, asker: Asker) -> Session:
        """Ask for a session; asking again with the same id is harmless."""
        body = await self._ask(
            "PUT", f"/sessions/{session_id}", json=request.model_dump(), headers=asker.headers()
        )
        return _parse(TypeAdapter(Session), body)

    async def stop_session(self, session_id: UUID, asker: Asker) -> Session:
        """Ask for a session's end; it has ended only when its last event says so."""
        body = await self._ask("POST", f"/sessions/{session_id}/stop", headers=asker.headers())
        return _parse(TypeAdapter(Session), body)

    async def events(self, after: Position | None, *, wait: bool) -> EventPage | Snapshot:
        """Return what came after the position; a Snapshot when the position is gone.

        With `wait` an answer without events comes only after 30 s.
        """
        params: dict[str, str | int] = {"wait": WAIT_SECONDS if wait else 0, "limit": PAGE_EVENTS}
        if after is not None:
            params["after"] = f"{after.journal}:{after.seq}"
        response = await self._send("GET", "/events", params=params, timeout=_POLL_DEADLINE)
        if response.status_code == httpx2.codes.GONE:
            return _parse(TypeAdapter(Snapshot), response.content)
        return _parse(TypeAdapter(EventPage), _checked(response))

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        return _checked(await self._send(method, path, params=params, json=json, headers=headers))

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: httpx2.Timeout = _DEADLINE,  # noqa: ASYNC109  # the client's own deadlines per step
    ) -> httpx2.Response:
        try:
            return await self._http.request(
                method, path, params=params, json=json, headers=headers, timeout=timeout
            )
        except httpx2.HTTPError as error:
            raise OrchestratorUnavailableError(
                f"the orchestrator does not answer {method} {path}: {type(error).__name__}: {error}"
            ) from error


def _checked(response: httpx2.Response) -> bytes:
    """Return the body of a success; tell a refusal (with its problem) from something that may heal."""
    if response.is_success:
        return response.content
    asked = f"{response.request.method} {response.request.url.path}"
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        problem = None
    status = response.status_code
    if status == httpx2.codes.UNAUTHORIZED:
        # Our mistake, not the client's: answering 401 would let the client doubt its own token.
        raise OrchestratorUnavailableError(
            "the orchestrator refuses this service's token; compare APPROVAL_ORCHESTRATOR_TOKEN with its own"
        )
    refused = 400 <= status < 500 or status == httpx2.codes.SERVICE_UNAVAILABLE
    if problem is not None and refused:
        raise OrchestratorRefusedError(problem)
    raise OrchestratorUnavailableError(
        f"the orchestrator answered {asked} with {status}"
        + (f": {problem.detail}" if problem else " and no problem details")
    )


def _parse[T](adapter: TypeAdapter[T], body: bytes) -> T:
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise OrchestratorUnavailableError(
            f"the orchestrator's answer does not follow the contract: {where}: {first['msg']}; "
            "both services have to be of one version"
        ) from error
