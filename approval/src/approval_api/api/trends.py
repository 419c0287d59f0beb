"""Routes: trends of a template's sessions and of a schedule's runs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Reader
from approval_api.audit.transaction import Transaction
from approval_api.trends import reading
from dryrun_contract.scan_choice import COLLECTOR_NAME
from dryrun_contract.template import TEMPLATE_ID
from dryrun_contract.trend import Trend

router = APIRouter(tags=["trends"])


async def _known_template(
    request: Request, template: Annotated[str, Query(pattern=TEMPLATE_ID, examples=["small"])]
) -> str:
    await reading.require_template(request.app.state.engine, request.app.state.orchestrator, template)
    return template


@router.get("/trends")
async def show_trend(
    _: Reader,
    template: Annotated[str, Depends(_known_template)],
    _turn: ListTurn,
    transaction: Transaction,
    collector: Annotated[str | None, Query(pattern=COLLECTOR_NAME, examples=["network"])] = None,
) -> Trend:
    """Show the newest scored sessions of a template; with `collector`, that collector's own figures.

    A template that had no session and cannot be started is a 404.
    """
    return await reading.of_template(transaction, template, collector)


@router.get("/schedules/{schedule_id}/trend")
async def show_schedule_trend(schedule_id: UUID, request: Request, _: Reader, _turn: ListTurn) -> Trend:
    """Show the measured runs of a schedule."""
    return reading.of_schedule(await request.app.state.schedules.show(schedule_id))
