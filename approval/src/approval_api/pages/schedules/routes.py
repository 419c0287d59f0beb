"""Pages: schedules with a form for a new one, and one schedule with its trend."""

import re
from uuid import UUID

from fastapi import APIRouter, Request, Response

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Reader, Runner
from approval_api.audit.log import note
from approval_api.criteria.service import names as criteria_names
from approval_api.orchestrator.client import OrchestratorClient
from approval_api.pages.forms import SentForm, validated
from approval_api.pages.rendering import page, see_other
from approval_api.pages.trend_charts import charts
from approval_api.schedules.service import Schedules
from approval_api.trends.badges import published
from approval_api.trends.reading import of_schedule
from dryrun_contract.schedule import ScheduleRequest

router = APIRouter(prefix="/dryrun/schedules", include_in_schema=False)


def _schedules(request: Request) -> Schedules:
    schedules: Schedules = request.app.state.schedules
    return schedules


@router.get("")
async def list_schedules(request: Request, visitor: Reader) -> Response:
    """Show schedules, those that are due next first, and the form for a new one."""
    orchestrator: OrchestratorClient = request.app.state.orchestrator
    async with request.app.state.engine.connect() as connection:
        criteria = await criteria_names(connection)
    return page(
        request,
        "schedules/schedules.html",
        visitor,
        schedules=await _schedules(request).list_all(),
        templates=await orchestrator.template_ids(),
        criteria=criteria,
    )


@router.post("", name="create_schedule")
async def create_schedule(request: Request, visitor: Runner, form: SentForm) -> Response:
    """Store a schedule and go to its page."""
    wanted = validated(
        ScheduleRequest,
        {
            "cron": " ".join(form.one("cron").split()),
            "timezone": form.one("timezone", "UTC") or "UTC",
            "experiment": {
                "name": form.one("name"),
                "templates": form.all("templates"),
                "seeds": list(range(_seeds(form.one("seeds", "1")))),
                "repetitions": form.one("repetitions", "1") or "1",
                "criteria": form.one("criteria") or None,
            },
        },
        "This is not a schedule",
    )
    schedule = await _schedules(request).create(wanted, visitor.name, visitor.token_id)
    note(request, object_=str(schedule.id), detail=wanted.model_dump_json())
    return see_other(f"/dryrun/schedules/{schedule.id}")


def _seeds(text: str) -> int:
    """Return the number of seeds, 1 to 100; 0 for any other text, which is refused as no seeds are."""
    return int(text) if re.fullmatch("[1-9][0-9]?|100", text) else 0


@router.get("/{schedule_id}")
async def show_schedule(schedule_id: UUID, request: Request, visitor: Reader, _turn: ListTurn) -> Response:
    """Show one schedule: when it is due, how recall went, and each of its runs."""
    schedule = await _schedules(request).show(schedule_id)
    async with request.app.state.engine.connect() as connection:
        known = await published(connection)
    return page(
        request,
        "schedules/schedule.html",
        visitor,
        schedule=schedule,
        charts=charts(of_schedule(schedule)),
        published=[each for each in known if each.schedule_id == schedule_id],
    )
