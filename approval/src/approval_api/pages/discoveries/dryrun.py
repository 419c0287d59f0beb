"""Pages of dry-run discoveries: a list, and decisions on it. Production has pages of its own."""

from fastapi import APIRouter, Request, Response

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Decider, Reader
from approval_api.audit.transaction import Transaction
from approval_api.discoveries.decisions import note_decision
from approval_api.discoveries.dryrun import repository
from approval_api.pages.discoveries.lists import Filters, answer_decision, decision_message, read_decision
from approval_api.pages.forms import SentForm
from approval_api.pages.rendering import page
from approval_api.sessions import repository as sessions
from dryrun_contract.kinds import KINDS

router = APIRouter(prefix="/dryrun/discoveries", include_in_schema=False)


@router.get("")
async def show_dryrun_list(request: Request, visitor: Reader, _turn: ListTurn) -> Response:
    """List what dry-runs found."""
    filters = Filters.of(request.query_params).of_dryruns()
    wanted = filters.wanted()
    async with request.app.state.engine.connect() as connection:
        found = await repository.list_all(connection, wanted)
        of_session = await sessions.find(connection, wanted.session_id) if wanted.session_id else None
        rows = await repository.views(connection, found.rows)
    return page(
        request,
        "discoveries/dryrun_discoveries.html",
        visitor,
        filters=filters,
        rows=rows,
        next=found.next,
        of_session=of_session,
        kinds=KINDS,
        area="dryrun",
    )


@router.post("", name="decide_dryrun")
async def decide_dryrun_list(
    request: Request, visitor: Decider, form: SentForm, _turn: ListTurn, transaction: Transaction
) -> Response:
    """Approve, reject or undo. It has no effect outside of dry-runs."""
    decision = read_decision(form)
    decided = await repository.decide(transaction, decision, visitor.name)
    note_decision(request, decision, decided)
    found = await repository.find_some(transaction, (*decided.decided, *decided.changed))
    rows = await repository.views(transaction, found)
    return answer_decision(request, visitor, form, rows, decision_message(decision, decided), area="dryrun")
