"""Discoveries of dry-runs as clients and pages see them."""

from collections.abc import Mapping
from typing import Self
from uuid import UUID

from sqlalchemy import RowMapping

from approval_api.database.stored_json import StoredJson
from approval_api.discoveries.decisions import DecisionView, decision_view
from approval_api.discoveries.listing import Status
from approval_api.scoring.naming import name_place
from dryrun_contract.base import UtcTime, Word

_AS_STORED = ("collector", "run", "line", "kind", "key", "data", "confidence", "found_at")


class DiscoveryView(Word):
    """One discovery. `key` is as reported; `named_key` has the service's name in place of the address."""

    collector: str
    run: str
    line: int
    kind: str
    key: str
    named_key: str
    service: str | None
    data: dict[str, StoredJson]
    confidence: float
    found_at: UtcTime

    @classmethod
    def of(cls, row: RowMapping, addresses: Mapping[str, str]) -> Self:
        """Return a row as clients and pages see it; `addresses` names the services of its session."""
        return cls.model_validate(_values(row, addresses))


def _values(row: RowMapping, addresses: Mapping[str, str]) -> dict[str, object]:
    place = name_place(row["key"], addresses)
    return {name: row[name] for name in _AS_STORED} | {"named_key": place.key, "service": place.service}


class DiscoveryList(Word):
    """In the order they arrived; `next` is the cursor of the next page, null on the last."""

    discoveries: tuple[DiscoveryView, ...]
    next: str | None


class DryrunDiscoveryView(DiscoveryView):
    """A discovery of a dry-run with the newest decision on it. It can never reach production."""

    id: int
    revision: int
    session_id: UUID
    status: Status
    decision: DecisionView | None

    @classmethod
    def of(cls, row: RowMapping, addresses: Mapping[str, str]) -> Self:
        """Return a row as clients and pages see it; `addresses` names the services of its session."""
        own = {name: row[name] for name in ("id", "revision", "status")}
        session = {"session_id": row["dryrun_session_id"], "decision": decision_view(row)}
        return cls.model_validate(_values(row, addresses) | own | session)


class DryrunDiscoveryList(Word):
    """Discoveries of all dry-runs. `next` is the cursor of the next page, null after the last."""

    discoveries: tuple[DryrunDiscoveryView, ...]
    next: str | None
