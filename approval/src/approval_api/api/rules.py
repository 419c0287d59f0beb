"""Routes of rules that approve production's discoveries: made, previewed, switched on and off, removed."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Decider, Reader, require_no_token
from approval_api.audit.log import note
from approval_api.audit.transaction import Transaction
from approval_api.discoveries.production import rules
from dryrun_contract.production import RuleList, RulePreview, RuleRequest, RuleSwitch, RuleView

router = APIRouter(prefix="/production/rules", tags=["production"])


@router.post("", status_code=201)
async def create_rule(
    request: Request, response: Response, person: Decider, transaction: Transaction, wanted: RuleRequest
) -> RuleView:
    """Make a rule. It is off, and approves nothing, until somebody switches it on."""
    rule = await rules.create(transaction, wanted, person.name)
    note(request, object_=f"rule {wanted.name} {rule.id}", detail=wanted.model_dump_json())
    response.headers["Location"] = f"/api/v1/production/rules/{rule.id}"
    return rule


@router.get("")
async def list_rules(_: Reader, transaction: Transaction) -> RuleList:
    """List all rules, by name."""
    return RuleList(rules=tuple(await rules.list_all(transaction)))


@router.get("/{rule_id}")
async def show_rule(rule_id: UUID, _: Reader, transaction: Transaction) -> RuleView:
    """Show one rule."""
    return await rules.require(transaction, rule_id)


@router.get("/{rule_id}/preview")
async def preview_rule(rule_id: UUID, _: Reader, _turn: ListTurn, transaction: Transaction) -> RulePreview:
    """Show what a rule would approve of the queue as it is now."""
    rule = await rules.require(transaction, rule_id)
    return await rules.preview(transaction, rule.request)


@router.post("/{rule_id}/on")
async def switch_rule_on(
    rule_id: UUID,
    request: Request,
    person: Decider,
    _turn: ListTurn,
    transaction: Transaction,
    switch: RuleSwitch,
) -> RuleView:
    """Switch a rule on: what its preview showed is approved now, and what matches later when it is reported.

    409 when the queue is no longer what the preview showed.
    """
    require_no_token(person)
    count = await rules.switch_on(transaction, rule_id, switch.preview, person.name)
    rule = await rules.require(transaction, rule_id)
    note(request, object_=f"rule {rule.request.name} {rule_id}", detail=f"{count} approved")
    return rule


@router.post("/{rule_id}/off")
async def switch_rule_off(
    rule_id: UUID, request: Request, person: Decider, transaction: Transaction
) -> RuleView:
    """Switch a rule off; what it approved stays approved. Idempotent."""
    rule = await rules.switch_off(transaction, rule_id, f"switched off by {person.name}")
    note(request, object_=f"rule {rule.request.name} {rule_id}")
    return rule


@router.delete("/{rule_id}", status_code=204)
async def remove_rule(rule_id: UUID, request: Request, _: Decider, transaction: Transaction) -> None:
    """Delete a rule; what it approved stays approved."""
    name, wanted = await rules.remove(transaction, rule_id)
    note(request, object_=f"rule {name} {rule_id}", detail=wanted)
