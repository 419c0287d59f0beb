"""What people do with deliveries: destinations, a preview, its approval, its files, sending again."""

from collections.abc import Mapping
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.locks import hold
from approval_api.deliveries import repository
from approval_api.deliveries.preview import freeze
from approval_api.identity.person import Person
from approval_api.identity.roles import Permission
from approval_api.web.pagination import cut, from_cursor, row_id
from approval_api.web.problems import ProblemError, too_many, unknown
from dryrun_contract.delivery import (
    FILE_KINDS,
    DeliveryItems,
    DeliveryState,
    DeliveryView,
    DestinationRequest,
    DestinationView,
    ItemState,
)

MOST_DESTINATIONS = 20
MOST_LISTED = 100
MOST_PREVIEWS_A_DAY = 200
"""Of one person: each copies up to 20,000 discoveries, which are kept when it is discarded, too."""


def unknown_delivery(delivery_id: UUID) -> ProblemError:
    """Return the 404 problem."""
    return ProblemError(
        "unknown-delivery",
        404,
        f"there is no delivery {delivery_id}; GET /api/v1/production/deliveries lists the newest",
        title="Unknown delivery",
    )


def unknown_destination(destination_id: UUID) -> ProblemError:
    """Return the 404 problem."""
    return unknown("destination", destination_id, "/api/v1/production/destinations")


async def add_destination(
    connection: AsyncConnection, request: DestinationRequest, actor: str
) -> DestinationView:
    """Store a destination and have it checked.

    Raises ProblemError: 409 when the name is taken, 429 when there are too many.
    """
    await hold(connection, "destinations")
    if await repository.count_destinations(connection) >= MOST_DESTINATIONS:
        raise too_many("destinations", f"there are {MOST_DESTINATIONS} destinations")
    destination_id = uuid4()
    if not await repository.insert_destination(connection, destination_id, request, actor):
        raise ProblemError(
            "destination-exists",
            409,
            f"there is a destination {request.name!r}; remove it first, or choose another name",
            title="The name is taken",
        )
    return await _checked(connection, destination_id, request)


async def check_destination(connection: AsyncConnection, destination_id: UUID) -> DestinationView:
    """Have the process that delivers ask a destination whether it knows the credential.

    Raises ProblemError: 404, 409 for a file, which nobody asks.
    """
    found = await _destination(connection, destination_id)
    if found.request.kind in FILE_KINDS:
        raise ProblemError(
            "nothing-to-check",
            409,
            f"{found.request.name} is a file: it has no address and no credential",
            title="Nothing to check",
        )
    return await _checked(connection, destination_id, found.request)


async def _checked(
    connection: AsyncConnection, destination_id: UUID, request: DestinationRequest
) -> DestinationView:
    if request.kind not in FILE_KINDS:
        await repository.request_check(connection, destination_id)
    return await _destination(connection, destination_id)


async def list_destinations(connection: AsyncConnection, person: Person) -> list[DestinationView]:
    """Return destinations by name, as `person` may see them: without the paths, unless an administrator."""
    found = await repository.list_destinations(connection)
    if person.may(Permission.ADMINISTER):
        return found
    return [each.model_copy(update={"request": each.request.without_path()}) for each in found]


async def remove_destination(connection: AsyncConnection, destination_id: UUID) -> None:
    """Delete a destination and all that is known of it. Raises a 404 problem."""
    if not await repository.remove_destination(connection, destination_id):
        raise unknown_destination(destination_id)


async def preview(connection: AsyncConnection, destination_id: UUID, actor: str) -> DeliveryView:
    """Freeze what differs from what the destination has.

    Raises ProblemError: 404, 409 when nothing does, 429 for a person with too many in a day.
    """
    await hold(connection, f"previews of {actor}")
    if await repository.previewed_lately(connection, actor) >= MOST_PREVIEWS_A_DAY:
        raise ProblemError(
            "too-many-previews",
            429,
            f"{actor} had {MOST_PREVIEWS_A_DAY} deliveries previewed within a day, the most of one person; "
            "try again later",
            title="Too many previews",
            headers={"Retry-After": "3600"},
        )
    destination = await _destination(connection, destination_id, lock=True)
    delivery_id = uuid4()
    if not await freeze(connection, delivery_id, destination_id, destination.request, actor):
        raise ProblemError(
            "nothing-to-deliver",
            409,
            f"{destination.request.name} has every approved discovery as it is, or it is on its way there",
            title="Nothing to deliver",
        )
    return await show(connection, delivery_id)


async def show(connection: AsyncConnection, delivery_id: UUID, *, lock: bool = False) -> DeliveryView:
    """Return a delivery. Raises a 404 problem."""
    view = await repository.find_delivery(connection, delivery_id, lock=lock)
    if view is None:
        raise unknown_delivery(delivery_id)
    return view


async def approve(connection: AsyncConnection, delivery_id: UUID, actor: str) -> DeliveryView:
    """Let a planned delivery be sent; approving it twice has no effect. Raises ProblemError: 404, 409."""
    view = await show(connection, delivery_id, lock=True)
    if view.approved_at is not None:
        return view
    if view.state != "planned":
        raise _not_now(view, "approved")
    await repository.approve(connection, delivery_id, actor, view.kind)
    return await show(connection, delivery_id)


async def discard(connection: AsyncConnection, delivery_id: UUID) -> DeliveryView:
    """Give a preview up; doing so twice has no effect. Raises ProblemError: 404, 409 once it is approved."""
    view = await show(connection, delivery_id, lock=True)
    if view.approved_at is not None:
        raise _not_now(view, "discarded")
    await repository.discard(connection, delivery_id)
    return await show(connection, delivery_id)


async def resend(connection: AsyncConnection, delivery_id: UUID) -> DeliveryView:
    """Let what was given up be sent again; before the approval, looked up again.

    Raises ProblemError: 404, 409 when it was discarded.
    """
    view = await show(connection, delivery_id, lock=True)
    if view.state == "discarded":
        raise _not_now(view, "sent again")
    await repository.resend(connection, delivery_id, approved=view.approved_at is not None)
    return await show(connection, delivery_id)


async def list_items(
    connection: AsyncConnection, delivery_id: UUID, limit: int, cursor: str | None, state: ItemState | None
) -> DeliveryItems:
    """Return a page of a delivery's items. Raises ProblemError: 404, 422 for a cursor of another list."""
    await show(connection, delivery_id)
    after = from_cursor(cursor, row_id) or 0
    found = await repository.page_of_items(connection, delivery_id, after, limit + 1, state)
    items, following = cut(found, limit, lambda item: (item.id,))
    return DeliveryItems(items=items, next=following)


async def _destination(
    connection: AsyncConnection, destination_id: UUID, *, lock: bool = False
) -> DestinationView:
    view = await repository.find_destination(connection, destination_id, lock=lock)
    if view is None:
        raise unknown_destination(destination_id)
    return view


_INSTEAD: Mapping[DeliveryState, str] = {
    "checking": "wait until its destination was asked about each item",
    "discarded": "preview another one",
    "done": "all of it was sent",
}


def _not_now(view: DeliveryView, what: str) -> ProblemError:
    instead = _INSTEAD.get(view.state, "what loses its approval before it is sent is withdrawn")
    return ProblemError(
        "delivery-state",
        409,
        f"delivery {view.id} is {view.state} and cannot be {what}; {instead}",
        title="Not in this state",
    )
