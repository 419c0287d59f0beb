"""Routes: schedules, which repeat experiments; pause, resume, remove."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Reader, Runner
from approval_api.audit.log import note
from approval_api.schedules.service import Schedules
from dryrun_contract.base import Word
from dryrun_contract.schedule import Schedule, ScheduleRequest, ScheduleView

router = APIRouter(prefix="/schedules", tags=["schedules"])


class ScheduleList(Word):
    """All schedules, those that are due next first."""

    schedules: tuple[ScheduleView, ...]


def _schedules(request: Request) -> Schedules:
    schedules: Schedules = request.app.state.schedules
    return schedules


@router.post("", status_code=201)
async def create_schedule(
    request: Request, response: Response, person: Runner, wanted: ScheduleRequest
) -> ScheduleView:
    """Repeat an experiment at the times of a cron expression, in the name of whoever requests it.

    A schedule that a person's token made pauses when that token ends.
    """
    schedule = await _schedules(request).create(wanted, person.name, person.token_id)
    note(request, object_=str(schedule.id), detail=wanted.model_dump_json())
    response.headers["Location"] = f"/api/v1/dryrun/schedules/{schedule.id}"
    return schedule


@router.get("")
async def list_schedules(request: Request, _: Reader) -> ScheduleList:
    """List schedules, those that are due next first, the paused ones last."""
    return ScheduleList(schedules=tuple(await _schedules(request).list_all()))


@router.get("/{schedule_id}")
async def show_schedule(schedule_id: UUID, request: Request, _: Reader, _turn: ListTurn) -> Schedule:
    """Show a schedule and what became of its newest runs."""
    return await _schedules(request).show(schedule_id)


@router.post("/{schedule_id}/pause", status_code=202)
async def pause_schedule(schedule_id: UUID, request: Request, person: Runner) -> ScheduleView:
    """Start nothing more until it is resumed; what it started goes on. Idempotent."""
    note(request, object_=str(schedule_id))
    return await _schedules(request).pause(schedule_id, person.name)


@router.post("/{schedule_id}/resume", status_code=202)
async def resume_schedule(schedule_id: UUID, request: Request, person: Runner) -> ScheduleView:
    """Continue with its next time. Idempotent.

    A schedule that a person's token resumed pauses when that token ends; resumed in a browser, it goes on.
    """
    note(request, object_=str(schedule_id))
    return await _schedules(request).resume(schedule_id, person.token_id)


@router.delete("/{schedule_id}", status_code=204)
async def remove_schedule(schedule_id: UUID, request: Request, _: Runner) -> None:
    """Delete it and the list of its runs; its experiments stay."""
    note(request, object_=str(schedule_id))
    await _schedules(request).remove(schedule_id)
