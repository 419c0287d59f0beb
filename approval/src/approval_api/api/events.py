"""Route: a session's events, as a page or as a stream."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.access.large_answers import prepared
from approval_api.access.open_streams import EventStream
from approval_api.access.permission import Reader
from approval_api.events import repository
from approval_api.events.schemas import EventList
from approval_api.events.stream import event_frames
from approval_api.sessions import service
from approval_api.web.problems import ProblemError
from dryrun_contract.problem import Fault

router = APIRouter(prefix="/sessions/{session_id}/events", tags=["events"])

_STREAM = "text/event-stream"


@router.get("", response_model=EventList, responses={200: {"content": {_STREAM: {}}}})
async def read_events(
    session_id: UUID,
    request: Request,
    person: Reader,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=2000)] = 500,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Read events after a sequence number; with `Accept: text/event-stream`, stream them until the end."""
    state = request.app.state
    if _STREAM not in request.headers.get("accept", ""):
        async with prepared(request, "lists"):
            events = await _page(state.engine, session_id, after, limit)
            return Response(events.model_dump_json(), media_type="application/json")
    async with state.engine.begin() as connection:
        await service.require(connection, session_id)
    frames = event_frames(
        state.shared_reads,
        state.waker,
        state.stopping,
        session_id,
        after if last_event_id is None else _position(last_event_id),
        state.settings.heartbeat_seconds,
    )
    return EventStream(request, person, frames)


async def _page(engine: AsyncEngine, session_id: UUID, after: int, limit: int) -> EventList:
    async with engine.begin() as connection:
        session = await service.require(connection, session_id)
        found = await repository.page(connection, session_id, after, limit)
    return EventList(
        events=tuple(found.events),
        next=found.events[-1].seq if found.is_full else None,
        ended=session.phase == "ended",
    )


def _position(last_event_id: str) -> int:
    if last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) <= 18:
        return int(last_event_id)
    raise ProblemError(
        "invalid-request",
        422,
        "Last-Event-ID is not a sequence number; leave it out to start at the beginning",
        title="The request is not valid",
        faults=(Fault(where="header.Last-Event-ID", what="expected a whole number from 0"),),
    )
