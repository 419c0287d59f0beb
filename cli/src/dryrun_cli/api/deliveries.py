"""Calls about destinations and deliveries, which belong to production."""

from typing import Final, Literal
from uuid import UUID

from pydantic import JsonValue

from dryrun_cli.api.client import ApiClient
from dryrun_contract.delivery import DestinationRequest

_DESTINATIONS: Final = "/destinations"
_DELIVERIES: Final = "/deliveries"


async def destinations(client: ApiClient) -> JsonValue:
    """Return all destinations."""
    return await client.production("GET", _DESTINATIONS)


async def add_destination(client: ApiClient, request: DestinationRequest) -> JsonValue:
    """Store a destination. Never retried: its name can be used once."""
    return await client.production("POST", _DESTINATIONS, body=request.model_dump(mode="json"))


async def remove_destination(client: ApiClient, destination_id: UUID) -> None:
    """Delete a destination with its deliveries."""
    await client.production("DELETE", f"{_DESTINATIONS}/{destination_id}")


async def preview(client: ApiClient, destination_id: UUID) -> JsonValue:
    """Freeze what differs. Never retried: each call that arrives makes a delivery."""
    return await client.production("POST", f"{_DESTINATIONS}/{destination_id}/deliveries")


async def deliveries(client: ApiClient) -> JsonValue:
    """Return the newest deliveries."""
    return await client.production("GET", _DELIVERIES)


async def delivery(client: ApiClient, delivery_id: UUID) -> JsonValue:
    """Return one delivery."""
    return await client.production("GET", f"{_DELIVERIES}/{delivery_id}")


async def items(client: ApiClient, delivery_id: UUID, limit: int, state: str | None) -> JsonValue:
    """Return the first items of a delivery."""
    params: dict[str, str | int] = {"limit": limit} | ({} if state is None else {"state": state})
    return await client.production("GET", f"{_DELIVERIES}/{delivery_id}/items", params=params)


async def change(
    client: ApiClient, delivery_id: UUID, how: Literal["approve", "discard", "resend"]
) -> JsonValue:
    """Approve, discard or send again; a second request changes nothing."""
    return await client.production("POST", f"{_DELIVERIES}/{delivery_id}/{how}")


async def file(client: ApiClient, delivery_id: UUID, form: str | None) -> bytes:
    """Return an approved delivery as a file: hostile until inert."""
    params = {} if form is None else {"format": form}
    return await client.production_file(f"{_DELIVERIES}/{delivery_id}/file", params)
