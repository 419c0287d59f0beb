"""Routes: criteria stored by name, and which of them is the default."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from approval_api.access.permission import Reader, Runner
from approval_api.audit.log import note
from approval_api.audit.transaction import Transaction
from approval_api.criteria import service
from approval_api.criteria.named import CriteriaList, DefaultChoice, NamedCriteria
from approval_api.reports.criteria import Criteria
from dryrun_contract.named_criteria import CriteriaName

router = APIRouter(prefix="/criteria", tags=["criteria"])

_Name = Annotated[CriteriaName, Path()]


@router.get("")
async def show_default_criteria(_: Reader, transaction: Transaction) -> Criteria:
    """Show the criteria that sessions are judged by when they name none."""
    return await service.default(transaction)


@router.put("/default", status_code=204)
async def choose_default_criteria(
    request: Request, _: Runner, transaction: Transaction, wanted: DefaultChoice
) -> None:
    """Let new sessions be judged by this set unless they name another."""
    note(request, object_=wanted.name)
    await service.choose_default(transaction, wanted.name)


@router.get("/sets")
async def list_criteria(_: Reader, transaction: Transaction) -> CriteriaList:
    """List all sets, the built-in one first."""
    return CriteriaList(sets=tuple(await service.list_all(transaction)))


@router.get("/sets/{name}")
async def show_criteria(name: _Name, _: Reader, transaction: Transaction) -> NamedCriteria:
    """Show one set of criteria."""
    return await service.show(transaction, name)


@router.put("/sets/{name}")
async def store_criteria(
    name: _Name, request: Request, person: Runner, transaction: Transaction, criteria: Criteria
) -> NamedCriteria:
    """Store a set, or replace it; sessions keep what they are judged by."""
    note(request, object_=name, detail=criteria.model_dump_json(exclude_defaults=True))
    return await service.store(transaction, name, criteria, person.name)


@router.delete("/sets/{name}", status_code=204)
async def remove_criteria(name: _Name, _: Runner, transaction: Transaction) -> None:
    """Delete a set; if it was the default, the built-in one is again."""
    await service.remove(transaction, name)
