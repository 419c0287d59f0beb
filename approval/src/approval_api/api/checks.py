"""Routes: what sessions say of a real network, and how that compares with a production run."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from approval_api.access.large_answers import ForecastTurn, ListTurn, prepared
from approval_api.access.permission import Reader, Runner
from approval_api.audit.log import note
from approval_api.checks.service import Checks, making_in_words, removal_in_words
from dryrun_contract.check import MAX_TOGETHER, Check, CheckList, CheckRequest
from dryrun_contract.network_forecast import NetworkForecast

router = APIRouter(tags=["forecasts"])


def _checks(request: Request) -> Checks:
    checks: Checks = request.app.state.checks
    return checks


@router.get("/sessions/{session_id}/forecast")
async def show_forecast(
    session_id: UUID,
    request: Request,
    _: Reader,
    _turn: ForecastTurn,
    more: Annotated[
        tuple[UUID, ...],
        Query(alias="with", max_length=MAX_TOGETHER - 1, description="Further sessions of the network"),
    ] = (),
) -> NetworkForecast:
    """Forecast the real network that the session's template stands for; from further sessions too."""
    return (await _checks(request).forecast([session_id, *more]))[1]


@router.post(
    "/sessions/{session_id}/checks",
    status_code=201,
    responses={200: {"model": Check, "description": "The same comparison is stored already"}},
)
async def check_forecast(
    session_id: UUID,
    request: Request,
    response: Response,
    person: Runner,
    _turn: ForecastTurn,
    wanted: CheckRequest,
) -> Check:
    """Compare the forecast with a production run: with its counts, or with what production holds.

    The same comparison is stored once: a repetition answers with the check that is there, which takes over
    what its maker states later of the run's duration and packets.
    """
    turn = prepared(request, "checks")
    check, is_new = await _checks(request).check(session_id, wanted, person.name, turn)
    note(request, object_=str(check.id), detail=making_in_words(session_id, check, is_new=is_new))
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/api/v1/dryrun/checks/{check.id}"
    return check


@router.get("/checks", response_model=CheckList)
async def list_checks(request: Request, _: Reader, _turn: ListTurn) -> Response:
    """List the newest checks, and how often forecasts were right."""
    listed = await _checks(request).list()
    # Not by way of dictionaries: it may be 9 MB, and everybody waits meanwhile.
    return Response(listed.model_dump_json(), media_type="application/json")


@router.get("/checks/{check_id}")
async def show_check(check_id: UUID, request: Request, _: Reader) -> Check:
    """Show one check."""
    return await _checks(request).show(check_id)


@router.delete("/checks/{check_id}", status_code=204)
async def remove_check(check_id: UUID, request: Request, person: Runner) -> None:
    """Delete one of one's own checks, or as an administrator any; it no longer counts."""
    check = await _checks(request).remove(check_id, person)
    note(request, object_=str(check_id), detail=removal_in_words(check))
