"""Pages: destinations and deliveries, a form for each, and one delivery with its items."""

from typing import get_args
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request, Response

from approval_api.access.large_answers import ListTurn
from approval_api.access.permission import Administrator, Reader
from approval_api.audit.log import note
from approval_api.audit.transaction import Transaction
from approval_api.deliveries import repository, service
from approval_api.pages.forms import SentForm, validated
from approval_api.pages.rendering import page, see_other
from dryrun_contract.delivery import FILE_KINDS, DestinationKind, DestinationRequest, ItemState
from dryrun_contract.kinds import KINDS

router = APIRouter(prefix="/production", include_in_schema=False)

_PER_PAGE = 100
_KINDS: tuple[DestinationKind, ...] = get_args(DestinationKind.__value__)
_STATES: tuple[ItemState, ...] = get_args(ItemState.__value__)


@router.get("/deliveries")
async def list_deliveries(request: Request, visitor: Reader, _turn: ListTurn) -> Response:
    """Show destinations with a form for a new one, and the newest deliveries."""
    async with request.app.state.engine.connect() as connection:
        destinations = await service.list_destinations(connection, visitor)
        deliveries = await repository.list_deliveries(connection, service.MOST_LISTED)
    return page(
        request,
        "deliveries/deliveries.html",
        visitor,
        destinations=destinations,
        deliveries=deliveries,
        destination_kinds=_KINDS,
        kinds=KINDS,
    )


@router.post("/destinations", name="add_destination")
async def add_destination(
    request: Request, visitor: Administrator, form: SentForm, transaction: Transaction
) -> Response:
    """Add a destination."""
    wanted = validated(
        DestinationRequest,
        {
            "name": form.one("name"),
            "kind": form.one("kind"),
            "url": form.one("url") or None,
            "credential": form.one("credential") or None,
            "kinds": form.all("kinds"),
        },
        "This is not a destination",
    )
    await service.add_destination(transaction, wanted, visitor.name)
    note(request, object_=f"destination {wanted.name}", detail=wanted.without_path().model_dump_json())
    return see_other("/production/deliveries")


@router.get("/deliveries/{delivery_id}")
async def show_delivery(
    delivery_id: UUID, request: Request, visitor: Reader, _turn: ListTurn, cursor: str | None = None
) -> Response:
    """Show a delivery: what would be done or was done, and what the destination answered."""
    state = next((each for each in _STATES if each == request.query_params.get("state")), None)
    async with request.app.state.engine.connect() as connection:
        delivery = await service.show(connection, delivery_id)
        items = await service.list_items(connection, delivery_id, _PER_PAGE, cursor, state)
    asked = {name: value for name, value in (("state", state), ("cursor", cursor)) if value is not None}
    return page(
        request,
        "deliveries/delivery.html",
        visitor,
        here=f"/production/deliveries/{delivery_id}?{urlencode(asked)}",
        delivery=delivery,
        items=items,
        state=state,
        is_file=delivery.kind in FILE_KINDS,
    )
