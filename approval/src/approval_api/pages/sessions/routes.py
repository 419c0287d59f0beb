"""Pages: sessions in a list, and one as it runs; once it is over, the same page is its record."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from approval_api.access.open_streams import EventStream
from approval_api.access.permission import Reader, Runner
from approval_api.audit.log import note
from approval_api.criteria.service import choose
from approval_api.orchestrator.client import Asker
from approval_api.pages.forms import SentForm, validated
from approval_api.pages.rendering import page, see_other
from approval_api.pages.sessions.fragments import session_values
from approval_api.pages.sessions.live import LiveSessions, frames
from approval_api.reports import listed
from approval_api.sessions import service
from dryrun_contract.session import StartRequest

router = APIRouter(prefix="/dryrun/sessions", include_in_schema=False)

_PER_PAGE = 30


@router.get("")
async def show_sessions(request: Request, visitor: Reader, cursor: str | None = None) -> Response:
    """List sessions, newest first."""
    async with request.app.state.engine.connect() as connection:
        found = await listed.page(connection, _PER_PAGE, cursor)
    return page(
        request,
        "sessions/sessions.html",
        visitor,
        sessions=found.sessions,
        next=found.next,
        first=cursor is None,
    )


@router.post("", name="start_session")
async def start_session(request: Request, visitor: Runner, form: SentForm) -> Response:
    """Start a dry-run and go to its page."""
    wanted = validated(
        StartRequest,
        {
            "template": form.one("template"),
            "seed": form.one("seed", "0") or "0",
            "keep": form.one("keep") == "yes",
            "criteria": form.one("criteria") or None,
        },
        "This cannot be started",
    )
    state = request.app.state
    asker = Asker(visitor.name, str(request.scope["request_id"]))
    async with state.engine.connect() as connection:
        judged_by = await choose(connection, wanted.criteria)
    session = await service.start(
        state.engine, state.orchestrator, wanted.session(), asker, state.limits, judged_by=judged_by
    )
    note(request, object_=str(session.id), detail=wanted.model_dump_json())
    return see_other(f"/dryrun/sessions/{session.id}")


@router.get("/{session_id}")
async def show_session(session_id: UUID, request: Request, visitor: Reader) -> Response:
    """Show one session: live while it runs, its record when it is over."""
    sessions: LiveSessions = request.app.state.live_sessions
    # Whoever looks at the same session meanwhile shares the reading of its events.
    with sessions.watched(session_id) as live:
        await live.catch_up(request.app.state.engine, session_id)
        if live.stored is None or live.state is None:
            raise service.unknown_session(session_id)
        return page(
            request,
            "sessions/session.html",
            visitor,
            history_complete=live.stored.history_complete,
            **session_values(live.stored, live.state),
        )


@router.get("/{session_id}/live")
async def follow_session(
    session_id: UUID,
    request: Request,
    visitor: Reader,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Stream what changes on a session's page; ends by itself."""
    state = request.app.state
    async with state.engine.begin() as connection:
        await service.require(connection, session_id)
    known = last_event_id or ""
    changes = frames(
        state.live_sessions,
        state.engine,
        state.waker,
        state.stopping,
        session_id,
        int(known) if known.isascii() and known.isdecimal() and len(known) <= 18 else after,
        state.settings.heartbeat_seconds,
    )
    return EventStream(request, visitor, changes)
