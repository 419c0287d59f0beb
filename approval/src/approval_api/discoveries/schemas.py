"""Dry-run discoveries as this API's clients see them."""

from pydantic import JsonValue

from dryrun_contract.base import UtcTime, Word


class DiscoveryView(Word):
    """What a collector said. Every text in it may come from a target: show it with care."""

    collector: str
    run: str
    line: int
    kind: str
    key: str
    """As the collector said it, by address."""
    named_key: str
    """The same with the service's name in place of its address, where the address is a service's."""
    service: str | None
    data: dict[str, JsonValue]
    confidence: float
    found_at: UtcTime


class DiscoveryList(Word):
    """In the order they arrived; `next` is the cursor of the next page, null on the last."""

    discoveries: tuple[DiscoveryView, ...]
    next: str | None
