"""Routes: destinations of approved discoveries, and deliveries to them: preview, approve, send again."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from approval_api.access.large_answers import ListTurn, prepared
from approval_api.access.permission import Administrator, Decider, Reader
from approval_api.audit.log import note
from approval_api.audit.transaction import Transaction
from approval_api.deliveries import repository, service
from approval_api.deliveries.files import MEDIA, WRITERS, Writer, file_name, page
from approval_api.web.problems import ProblemError
from dryrun_contract.base import Word
from dryrun_contract.delivery import (
    FILE_KINDS,
    DeliveryItems,
    DeliveryView,
    DestinationRequest,
    DestinationView,
    FileFormat,
    ItemState,
)

destinations_router = APIRouter(prefix="/production/destinations", tags=["deliveries"])
router = APIRouter(prefix="/production/deliveries", tags=["deliveries"])

_FILES: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {"schema": {"type": "string"}} for media in MEDIA.values()}}
}


class DestinationList(Word):
    """All destinations, by name."""

    destinations: tuple[DestinationView, ...]


class DeliveryList(Word):
    """The newest deliveries, newest first."""

    deliveries: tuple[DeliveryView, ...]


@destinations_router.post("", status_code=201)
async def add_destination(
    request: Request, person: Administrator, transaction: Transaction, wanted: DestinationRequest
) -> DestinationView:
    """Add a destination for approved discoveries, and have it checked.

    Nothing is sent there unless its host is on the list of the process that delivers.
    """
    added = await service.add_destination(transaction, wanted, person.name)
    note(request, object_=f"destination {wanted.name}", detail=wanted.without_path().model_dump_json())
    return added


@destinations_router.get("")
async def list_destinations(person: Reader, transaction: Transaction) -> DestinationList:
    """List destinations by name; only administrators see more of an address than scheme, host and port."""
    return DestinationList(destinations=tuple(await service.list_destinations(transaction, person)))


@destinations_router.post("/{destination_id}/check", status_code=202)
async def check_destination(
    destination_id: UUID, request: Request, _: Administrator, transaction: Transaction
) -> DestinationView:
    """Have the process that delivers ask whether the destination knows the credential; see `check`.

    Nothing is sent that the destination would keep. A webhook's receiver cannot be asked: of it, only the
    host and the secret are checked.
    """
    found = await service.check_destination(transaction, destination_id)
    note(request, object_=f"destination {found.request.name}")
    return found


@destinations_router.delete("/{destination_id}", status_code=204)
async def remove_destination(
    destination_id: UUID, request: Request, _: Administrator, transaction: Transaction
) -> None:
    """Remove a destination, its deliveries, and the record of what it has; nothing is deleted there."""
    note(request, object_=f"destination {destination_id}")
    await service.remove_destination(transaction, destination_id)


@destinations_router.post("/{destination_id}/deliveries", status_code=201)
async def preview_delivery(
    destination_id: UUID,
    request: Request,
    response: Response,
    person: Decider,
    _turn: ListTurn,
    transaction: Transaction,
) -> DeliveryView:
    """Freeze what would be created and changed there. Nothing is sent before it is approved."""
    delivery = await service.preview(transaction, destination_id, person.name)
    note(request, object_=f"delivery {delivery.id}", detail=f"preview for {delivery.destination}")
    response.headers["Location"] = f"/api/v1/production/deliveries/{delivery.id}"
    return delivery


@router.get("")
async def list_deliveries(_: Reader, _turn: ListTurn, transaction: Transaction) -> DeliveryList:
    """List the newest deliveries, newest first."""
    found = await repository.list_deliveries(transaction, service.MOST_LISTED)
    return DeliveryList(deliveries=tuple(found))


@router.get("/{delivery_id}")
async def show_delivery(
    delivery_id: UUID, _: Reader, _turn: ListTurn, transaction: Transaction
) -> DeliveryView:
    """Show a delivery: how much is created, changed, left alone, and how far it got."""
    return await service.show(transaction, delivery_id)


@router.get("/{delivery_id}/items")
async def list_items(
    delivery_id: UUID,
    _: Reader,
    _turn: ListTurn,
    transaction: Transaction,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: str | None = None,
    state: ItemState | None = None,
) -> DeliveryItems:
    """List a delivery's items in the order of sending; `state=dead`: those that were given up."""
    return await service.list_items(transaction, delivery_id, limit, cursor, state)


@router.post("/{delivery_id}/approve", status_code=202)
async def approve_delivery(
    delivery_id: UUID, request: Request, person: Decider, transaction: Transaction
) -> DeliveryView:
    """Let a previewed delivery be sent. Idempotent."""
    delivery = await service.approve(transaction, delivery_id, person.name)
    note(request, object_=f"delivery {delivery_id}", detail=delivery.counts.model_dump_json())
    return delivery


@router.post("/{delivery_id}/discard")
async def discard_delivery(
    delivery_id: UUID, request: Request, _: Decider, transaction: Transaction
) -> DeliveryView:
    """Discard a preview. Idempotent."""
    note(request, object_=f"delivery {delivery_id}")
    return await service.discard(transaction, delivery_id)


@router.post("/{delivery_id}/resend", status_code=202)
async def resend_delivery(
    delivery_id: UUID, request: Request, _: Decider, transaction: Transaction
) -> DeliveryView:
    """Send again what was given up; what changed since is withdrawn. Before the approval: look again."""
    note(request, object_=f"delivery {delivery_id}")
    return await service.resend(transaction, delivery_id)


@router.get("/{delivery_id}/file", responses=_FILES)
async def fetch_file(
    delivery_id: UUID,
    request: Request,
    _: Reader,
    transaction: Transaction,
    file_format: Annotated[FileFormat | None, Query(alias="format")] = None,
) -> Response:
    """Return what an approved delivery to a file contains; by default in the destination's own format."""
    delivery = await service.show(transaction, delivery_id)
    own = FILE_KINDS.get(delivery.kind)
    if own is None or delivery.approved_at is None:
        raise ProblemError(
            "no-file",
            409,
            f"this delivery is {delivery.state} and goes to a {delivery.kind}; there is no file of it",
            title="There is no file",
        )
    chosen = file_format or own
    return StreamingResponse(
        _pieces(request, delivery_id, WRITERS[chosen]()),
        media_type=MEDIA[chosen],
        headers={"Content-Disposition": f'attachment; filename="{file_name(delivery, chosen)}"'},
    )


async def _pieces(request: Request, delivery_id: UUID, writer: Writer) -> AsyncIterator[str]:
    """Yield a file a page at a time, each read and written in its turn among all lists."""
    after, more = 0, True
    while more:
        async with prepared(request, "lists"), request.app.state.engine.connect() as connection:
            rows, more = await page(connection, delivery_id, after)
            piece = "".join(writer.add(action, content) for _, action, content in rows)
        after = rows[-1][0] if rows else after
        yield piece
    yield writer.end()
