"""Pages: rules with a form for a new one, and one rule with what it would approve."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Decider, Reader, require_no_token
from approval_api.audit.log import note
from approval_api.audit.transaction import Transaction
from approval_api.discoveries.production import rules
from approval_api.pages.forms import Form, SentForm, validated, wrong
from approval_api.pages.rendering import page, see_other
from dryrun_contract.kinds import KINDS
from dryrun_contract.production import RuleRequest

router = APIRouter(prefix="/production/rules", include_in_schema=False)


@router.get("")
async def list_rules(request: Request, visitor: Reader, transaction: Transaction) -> Response:
    """Show all rules and the form for a new one."""
    found = await rules.list_all(transaction)
    return page(request, "rules/rules.html", visitor, rules=found, kinds=KINDS)


@router.post("", name="create_rule")
async def create_rule(
    request: Request, visitor: Decider, form: SentForm, transaction: Transaction
) -> Response:
    """Store a rule, switched off, and go to its page."""
    wanted = validated(RuleRequest, _read(form), "This is not a rule")
    rule = await rules.create(transaction, wanted, visitor.name)
    note(request, object_=f"rule {wanted.name} {rule.id}", detail=wanted.model_dump_json())
    return see_other(f"/production/rules/{rule.id}")


def _read(form: Form) -> dict[str, object]:
    return {
        "name": form.one("name"),
        **{name: _words(form.one(name)) for name in ("collectors", "reporters", "subnets")},
        "kinds": form.all("kinds"),
        "changes": form.all("changes"),
        "min_confidence": form.one("min_confidence"),
        "most_a_day": form.one("most_a_day"),
        "attributes": _attributes(form.one("attributes")),
    }


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _attributes(text: str) -> dict[str, object]:
    """Read lines such as `product = nginx, Apache httpd` and `version = any`. Raises a 422 problem."""
    attributes: dict[str, object] = {}
    for line in filter(str.strip, text.splitlines()):
        name, separator, values = line.partition("=")
        if not separator or name.strip() in attributes:
            expected = "expected lines such as 'product = nginx, Apache httpd', each name once"
            raise wrong(f"attributes: {expected}: {line!r}", "This is not a rule")
        accepted = [each.strip() for each in values.split(",") if each.strip()]
        attributes[name.strip()] = "any" if accepted == ["any"] else accepted
    return attributes


@router.get("/{rule_id}")
async def show_rule(
    rule_id: UUID, request: Request, visitor: Reader, _turn: ListTurn, transaction: Transaction
) -> Response:
    """Show one rule; while it is off, with what it would approve."""
    rule = await rules.require(transaction, rule_id)
    preview = await rules.preview(transaction, rule.request) if rule.on_since is None else None
    return page(request, "rules/rule.html", visitor, rule=rule, preview=preview)


@router.post("/{rule_id}/on", name="switch_rule_on")
async def switch_rule_on(
    rule_id: UUID,
    request: Request,
    visitor: Decider,
    form: SentForm,
    _turn: ListTurn,
    transaction: Transaction,
) -> Response:
    """Approve what the preview showed, and from now on what is reported."""
    require_no_token(visitor)
    count = await rules.switch_on(transaction, rule_id, form.one("preview"), visitor.name)
    rule = await rules.require(transaction, rule_id)
    note(request, object_=f"rule {rule.request.name} {rule_id}", detail=f"{count} approved")
    return see_other(f"/production/rules/{rule_id}")
