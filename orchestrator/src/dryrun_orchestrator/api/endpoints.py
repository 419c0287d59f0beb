"""The internal HTTP API: for the approval API, on a private network, behind a bearer token."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Header, Query, Request, Response
from fastapi.security import HTTPBearer
from pydantic import ValidationError

from dryrun_contract.event import Snapshot
from dryrun_contract.faults import faults_of
from dryrun_contract.fleet import Fleet
from dryrun_contract.pool import Pool
from dryrun_contract.problem import Fault
from dryrun_contract.scan_choice import ScanChoice
from dryrun_contract.session import MAX_SEED, Session, SessionRequest
from dryrun_contract.template import Template, TemplateSummary
from dryrun_contract.text import printable
from dryrun_contract.trace_context import TraceContext
from dryrun_orchestrator import metrics
from dryrun_orchestrator.api.parts import Parts, parts_of
from dryrun_orchestrator.api.problems import answer_refusal, request_id_of
from dryrun_orchestrator.catalog.scan_choice import ScanChoiceError
from dryrun_orchestrator.journal.event_log import PositionGoneError
from dryrun_serving.refusal import RefusedError

MAX_WAIT_SECONDS = 60
MAX_PAGE = 2000
MAX_CHOICE = 2000
"""Characters."""
MAX_SEQ = 2**63 - 1
"""SQLite counts in 64 bits."""

Actor = Annotated[
    str, Header(alias="X-Actor", max_length=200, description="Who requests it, as asserted by the caller.")
]

# Only documents the token in OpenAPI; `door` checks it before the body is read.
router = APIRouter(dependencies=[Depends(HTTPBearer(auto_error=False, description="ORCHESTRATOR_TOKEN"))])


@router.put("/sessions/{session_id}", status_code=201, responses={200: {"description": "It already existed"}})
async def put_session(
    request: Request,
    response: Response,
    session_id: UUID,
    wanted: Annotated[SessionRequest, Body()],
    x_actor: Actor,
    traceparent: Annotated[
        str | None, Header(description="The span that requests it (W3C Trace Context).")
    ] = None,
) -> Session:
    """Create a session, or claim the prepared one with this id.

    Idempotent: the same request again returns 200 and the session.
    """
    parts = parts_of(request)

    async def put() -> tuple[Session, bool]:
        await parts.audit.require_room()
        caller = TraceContext.read(traceparent)
        return await parts.supervisor.put(session_id, wanted, printable(x_actor), caller)

    session, fresh = await _audited(request, x_actor, put, wanted.model_dump())
    response.status_code = 201 if fresh else 200
    return session


@router.post("/sessions/{session_id}/stop", status_code=202)
async def stop_session(request: Request, session_id: UUID, x_actor: Actor) -> Session:
    """Request that a session stops; its network is removed. Idempotent."""
    supervisor = parts_of(request).supervisor
    return await _audited(request, x_actor, lambda: supervisor.stop(session_id), {})


@router.get("/sessions")
async def list_sessions(request: Request) -> list[Session]:
    """List every session in the journal, oldest first."""
    return await parts_of(request).supervisor.list()


@router.get("/sessions/{session_id}")
async def show_session(request: Request, session_id: UUID) -> Session:
    """Show one session."""
    return await parts_of(request).supervisor.show(session_id)


@router.get("/pool")
async def show_pool(request: Request) -> Pool:
    """Show the sessions that are prepared ahead. Requesting the id of one claims it."""
    return await parts_of(request).pool.get()


@router.get("/hosts")
async def show_hosts(request: Request) -> Fleet:
    """Show the hosts of the fleet and what stands on each; none where there is no fleet."""
    return await parts_of(request).fleet.get()


@router.get("/templates")
async def list_templates(request: Request) -> list[TemplateSummary]:
    """List the templates a session can use."""
    return [template.summary() for template in parts_of(request).supervisor.catalog.valid()]


@router.get("/templates/{template_id}")
async def show_template(
    request: Request,
    template_id: str,
    seed: Annotated[int, Query(ge=0, le=MAX_SEED)] = 0,
    scan: Annotated[str, Query(max_length=MAX_CHOICE, description="A ScanChoice as JSON.")] = "{}",
) -> Template:
    """Show one template with its ground truth for a seed, as it would be scanned. Collectors never see it."""
    try:
        choice = ScanChoice.model_validate_json(scan)
    except ValidationError as error:
        faults = faults_of(error.errors(include_url=False))
        raise ScanChoiceError(
            [Fault(where=f"scan.{place}".rstrip("."), what=reason) for place, reason in faults]
        ) from error
    return parts_of(request).supervisor.catalog.get(template_id, seed, choice).full()


@router.get("/events", responses={410: {"model": Snapshot}})
async def list_events(
    request: Request,
    after: Annotated[str | None, Query(examples=["0b0e7a4c-7e0e-4a4b-9d0a-5c1f3a3f7f11:42"])] = None,
    wait: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 500,
) -> Response:
    """Acknowledge a position `JOURNAL:N` and return later events; wait `wait` seconds for the first.

    Without `after`, from the first event. 410 with a snapshot of all sessions when the position is not in
    this journal.
    """
    parts = parts_of(request)
    try:
        position = None if after is None else _position(after)
    except ValueError as error:
        refusal = RefusedError("invalid-position", 422, str(error), title="Invalid position")
        return answer_refusal(request, refusal)
    signal = parts.journal.events.signal()
    try:
        page = await parts.journal.events.after(position, limit)
        if not page and wait:
            await _wait_for_either(signal, request.app.state.stopping, wait)
            page = await parts.journal.events.after(position, limit)
    except PositionGoneError:
        return await _gone(parts)
    body = f'{{"journal":"{parts.journal.id}","events":[{",".join(page)}]}}'
    return Response(body, media_type="application/json")


_POSITION = re.compile(r"(?P<journal>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):(?P<seq>[0-9]{1,19})")


def _position(after: str) -> tuple[UUID, int]:
    """Read `JOURNAL:N`. Raises ValueError for any other form, and for an N that no journal can have."""
    found = _POSITION.fullmatch(after)
    if found is None or int(found["seq"]) > MAX_SEQ:
        raise ValueError(
            f"expected after=JOURNAL:N, a journal's id in lower case and a number from 0 to {MAX_SEQ}"
        )
    return UUID(found["journal"]), int(found["seq"])


async def _wait_for_either(first: asyncio.Event, second: asyncio.Event, seconds: float) -> None:
    tasks = {asyncio.create_task(first.wait()), asyncio.create_task(second.wait())}
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _gone(parts: Parts) -> Response:
    snapshot = Snapshot(
        journal=parts.journal.id,
        seq=await parts.journal.events.newest(),
        sessions=tuple(await parts.supervisor.list()),
    )
    return Response(snapshot.model_dump_json(), status_code=410, media_type="application/json")


async def _audited[T](
    request: Request, actor: str, command: Callable[[], Awaitable[T]], arguments: dict[str, object]
) -> T:
    """Run a command and record its outcome, refusals too."""
    try:
        result = await command()
    except Exception as error:
        await _audit(request, actor, outcome="refused", reason=str(error), arguments=arguments)
        raise
    await _audit(request, actor, outcome="accepted", arguments=arguments)
    return result


async def _audit(
    request: Request,
    actor: str | None,
    *,
    outcome: str,
    reason: str | None = None,
    arguments: dict[str, object] | None = None,
) -> None:
    metrics.COMMANDS.labels(command=request.method.lower(), outcome=outcome).inc()
    await parts_of(request).audit.write(
        actor=None if actor is None else printable(actor),
        command=printable(f"{request.method} {request.url.path}"),
        arguments=arguments,
        request_id=request_id_of(request),
        outcome=outcome,
        reason=reason,
    )


async def record_stranger(request: Request) -> None:
    """Record a command that came without the token."""
    await _audit(request, None, outcome="refused", reason="unauthorized")


async def record_unread(request: Request, reason: str) -> None:
    """Record a command with the token that was refused before an endpoint saw it."""
    if request.method in {"PUT", "POST"}:
        actor = request.headers.get("x-actor")
        await _audit(request, actor, outcome="refused", reason=printable(reason, limit=1000))
