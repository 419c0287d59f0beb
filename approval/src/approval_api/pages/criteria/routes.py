"""Page: the criteria that are stored, a form for more, and which set is the default."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathValue
from pydantic import TypeAdapter, ValidationError

from approval_api.access.permission import Reader, Runner
from approval_api.audit.log import note
from approval_api.audit.transaction import Transaction
from approval_api.criteria import service
from approval_api.pages.forms import SentForm, wrong
from approval_api.pages.rendering import page, see_other
from approval_api.reports.criteria import Criteria
from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, read_json
from dryrun_contract.faults import first_fault
from dryrun_contract.named_criteria import BUILT_IN, CriteriaName

router = APIRouter(prefix="/dryrun/criteria", include_in_schema=False)

_BOUNDS = JsonBounds(size=32 * 1024, values=2_000, depth=8)
_Name = Annotated[CriteriaName, PathValue()]
_NAME: TypeAdapter[str] = TypeAdapter(CriteriaName)


@router.get("")
async def list_criteria(
    request: Request, visitor: Reader, transaction: Transaction, edit: str = BUILT_IN
) -> Response:
    """Show every set with its limits, and the form, which holds the set of the name `edit` to start from."""
    sets = await service.list_all(transaction)
    edited = next((each for each in sets if each.name == edit), sets[0])
    return page(
        request,
        "criteria/criteria.html",
        visitor,
        sets=[(each, _limits(each.criteria)) for each in sets],
        edited=edited,
        text=edited.criteria.model_dump_json(indent=2, exclude_defaults=True),
    )


@router.post("", name="store_criteria")
async def store_criteria(
    request: Request, visitor: Runner, form: SentForm, transaction: Transaction
) -> Response:
    """Store a set, or replace the one of that name."""
    try:
        name = _NAME.validate_python(form.one("name"))
        criteria = Criteria.model_validate(read_json(form.raw("criteria").encode(), _BOUNDS))
    except ValidationError as error:
        raise wrong(first_fault(error, ""), "These are not criteria") from error
    except (OutOfBoundsError, ValueError) as error:
        what = f"the criteria are not JSON of this size: {error}"
        raise wrong(what, "These are not criteria") from error
    note(request, object_=name, detail=criteria.model_dump_json(exclude_defaults=True))
    await service.store(transaction, name, criteria, visitor.name)
    if form.one("default") == "yes":
        await service.choose_default(transaction, name)
    return see_other("/dryrun/criteria")


@router.post("/{name}/default", name="choose_default_criteria")
async def choose_default_criteria(name: _Name, _: Runner, transaction: Transaction) -> Response:
    """Let new sessions be judged by this set unless they name another."""
    await service.choose_default(transaction, name)
    return see_other("/dryrun/criteria")


def _limits(criteria: Criteria) -> list[tuple[str, str]]:
    """Return what is required, by the names that a report gives to it."""
    found: list[tuple[str, str]] = []

    def add(place: str, value: object) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                add(f"{place}.{name}" if place else str(name), inner)
        elif value is not None:
            found.append((place, "yes" if value is True else "no" if value is False else f"{value:g}"))

    add("", criteria.model_dump(exclude_defaults=True))
    return found
