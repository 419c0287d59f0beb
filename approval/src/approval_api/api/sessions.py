"""Routes: start, list, show and stop sessions."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from approval_api.access.permission import Reader, Runner
from approval_api.audit.log import note
from approval_api.audit.transaction import Transaction
from approval_api.criteria.service import choose
from approval_api.identity.person import Person
from approval_api.orchestrator.client import Asker
from approval_api.reports import listed
from approval_api.reports.listed import ListedSession, ListedSessions
from approval_api.sessions import service
from dryrun_contract.session import SessionView, StartRequest

router = APIRouter(prefix="/sessions", tags=["sessions"])


def _asker(request: Request, person: Person) -> Asker:
    return Asker(person.name, str(request.scope["request_id"]))


@router.post("", status_code=201)
async def start_session(
    request: Request, response: Response, person: Runner, wanted: StartRequest
) -> SessionView:
    """Start a dry-run of an installed template."""
    state = request.app.state
    asker = _asker(request, person)
    async with state.engine.connect() as connection:
        judged_by = await choose(connection, wanted.criteria)
    session = await service.start(
        state.engine, state.orchestrator, wanted.session(), asker, state.limits, judged_by=judged_by
    )
    note(request, object_=str(session.id), detail=wanted.model_dump_json())
    response.headers["Location"] = f"/api/v1/dryrun/sessions/{session.id}"
    return session


@router.get("")
async def list_sessions(
    _: Reader,
    transaction: Transaction,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
) -> ListedSessions:
    """List sessions, newest first, with the figures of those that are scored."""
    return await listed.page(transaction, limit, cursor)


@router.get("/{session_id}")
async def show_session(session_id: UUID, _: Reader, transaction: Transaction) -> ListedSession:
    """Show one session, with its figures once it is scored."""
    session = await service.require(transaction, session_id)
    (shown,) = await listed.with_figures(transaction, [session])
    return shown


@router.post("/{session_id}/stop", status_code=202)
async def stop_session(session_id: UUID, request: Request, person: Runner) -> SessionView:
    """Request a session's end; its last event says when everything of it is removed."""
    state = request.app.state
    return await service.stop(state.engine, state.orchestrator, session_id, _asker(request, person))
