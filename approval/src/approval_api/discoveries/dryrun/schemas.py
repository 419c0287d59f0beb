"""Discoveries as this API's clients see them."""

from uuid import UUID

from pydantic import JsonValue

from approval_api.discoveries.decisions import DecisionView
from approval_api.discoveries.listing import Status
from dryrun_contract.base import UtcTime, Word


class DiscoveryView(Word):
    """One discovery. `key` is what the collector said; `named_key` has the service's name in its place."""

    collector: str
    run: str
    line: int
    kind: str
    key: str
    named_key: str
    service: str | None
    data: dict[str, JsonValue]
    confidence: float
    found_at: UtcTime


class DiscoveryList(Word):
    """In the order of arrival; `next` is the cursor of the next page, null on the last."""

    discoveries: tuple[DiscoveryView, ...]
    next: str | None


class PracticeView(DiscoveryView):
    """A discovery of a dry-run with the decision that was practised on it. It can never reach production."""

    id: int
    revision: int
    session_id: UUID
    status: Status
    decision: DecisionView | None


class PracticeList(Word):
    """Discoveries of all dry-runs. `next` is the cursor of the next page, null when all was looked at."""

    discoveries: tuple[PracticeView, ...]
    next: str | None
