"""Pages: how well rehearsals have predicted, and one forecast beside its production run."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from approval_api.access.large_answers import ForecastTurn, ListTurn, prepared
from approval_api.access.permission import Reader, Runner
from approval_api.audit.log import note
from approval_api.checks.service import Checks, making_in_words, may_remove
from approval_api.pages.checks.view import draw
from approval_api.pages.forms import SentForm, wrong
from approval_api.pages.rendering import page, see_other
from dryrun_contract.check import CheckRequest

router = APIRouter(prefix="/dryrun/checks", include_in_schema=False)

_DRAWN = 40
"""Checks on the page; the calibration counts all of the list."""


def _checks(request: Request) -> Checks:
    checks: Checks = request.app.state.checks
    return checks


@router.get("")
async def show_checks(request: Request, visitor: Reader, _turn: ListTurn, session: str = "") -> Response:
    """Show every stored check, how often they were right, and the form for another one."""
    listed = await _checks(request).list()
    return page(
        request,
        "checks/checks.html",
        visitor,
        drawn=[draw(check) for check in listed.checks[:_DRAWN]],
        calibration=listed.calibration,
        session=session[:40],
    )


@router.post("", name="check_forecast")
async def check_forecast(request: Request, visitor: Runner, form: SentForm, _turn: ForecastTurn) -> Response:
    """Compare a session's forecast with what production holds, and show the check."""
    try:
        session_id = UUID(form.one("session"))
    except ValueError:
        raise wrong("expected the whole id of a session", "This is not a session") from None
    turn = prepared(request, "checks")
    check, is_new = await _checks(request).check(session_id, CheckRequest(), visitor.name, turn)
    note(request, object_=str(check.id), detail=making_in_words(session_id, check, is_new=is_new))
    return see_other(f"/dryrun/checks/{check.id}")


@router.get("/{check_id}")
async def show_check(check_id: UUID, request: Request, visitor: Reader) -> Response:
    """Show one check: prediction beside outcome, and what explains the difference."""
    check = await _checks(request).show(check_id)
    return page(
        request,
        "checks/check.html",
        visitor,
        drawn=draw(check),
        removable=may_remove(visitor, check.checked_by),
    )
