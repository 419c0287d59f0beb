"""Production's discoveries as clients and pages see them."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue
from sqlalchemy import RowMapping

from approval_api.database.stored_json import StoredJson
from approval_api.discoveries.decisions import MAX_AT_ONCE, DecisionView, decision_view
from approval_api.discoveries.life import Life
from approval_api.discoveries.listing import Status
from dryrun_contract.base import UtcTime, Word
from dryrun_contract.discovery import Discovery
from dryrun_contract.production import CollectorName


class ReportedDiscoveries(Word):
    """The discoveries that one collector reports in one request; at most 500."""

    collector: CollectorName
    scan: UUID | None = None
    """The scan that found them, of the same collector."""
    cut_off: bool = False
    """The collector's output ended before its end line, so that its last word on each may be missing: what is
    less sure than the stored discovery, or as sure with fewer values, only shows that it is still there."""
    discoveries: Annotated[
        tuple[Discovery, ...],
        Field(
            min_length=1,
            max_length=MAX_AT_ONCE,
            examples=[
                [
                    {
                        "kind": "service",
                        "key": "192.0.2.7:5432/tcp",
                        "data": {"product": "PostgreSQL", "version": "17.2"},
                        "confidence": 0.9,
                    }
                ]
            ],
        ),
    ]


class Received(Word):
    """The numbers of reported discoveries that were new, changed, back again and unchanged."""

    new: int
    changed: int
    """Known before, with different data: pending again, whatever was decided."""
    returned: int
    """Seen again after scans had shown them gone."""
    unchanged: int
    approved: int = 0
    """Of all these, how many rules approved."""


class ProductionView(Word):
    """A discovery of production."""

    id: int
    revision: int
    collector: str
    kind: str
    key: str
    data: dict[str, StoredJson]
    confidence: float
    found_at: UtcTime
    """When it was first seen."""
    last_seen_at: UtcTime
    times_seen: int
    changed_at: UtcTime | None
    change: Life
    gone_at: UtcTime | None
    missed_scans: int
    """How many complete scans in a row covered it and did not report it."""
    reported_by: str | None
    """Who reported it last; null when that was before this was kept, or when another than who reported these
    data saw it last, in output that was cut off."""
    status: Status
    decision: DecisionView | None
    """The newest; while `status` is pending it was made on an earlier revision."""

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        """Return a row as clients and pages see it."""
        own = {name: row[name] for name in cls.model_fields if name != "decision"}
        return cls.model_validate({**own, "decision": decision_view(row)})


class ProductionList(Word):
    """Discoveries of production. `next` is the cursor of the next page, null after the last."""

    discoveries: tuple[ProductionView, ...]
    next: str | None


class AttributeChange(Word):
    """An attribute before and after; null where it was missing."""

    name: str
    before: StoredJson
    after: StoredJson


class Change(Word):
    """What happened in one scan: attributes changed, it was gone, or it returned."""

    revision: int
    at: UtcTime
    change: Literal["changed", "gone", "returned"]
    attributes: tuple[AttributeChange, ...]

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        """Return a row as clients and pages see it: the attributes that differ."""
        before: dict[str, JsonValue] = row["before"]
        after: dict[str, JsonValue] = row["after"]
        return cls(
            revision=row["revision"],
            at=row["at"],
            change=row["change"],
            attributes=tuple(
                AttributeChange(name=name, before=before.get(name), after=after.get(name))
                for name in sorted(before.keys() | after.keys())
                if before.get(name) != after.get(name) or (name in before) != (name in after)
            ),
        )


class History(Word):
    """Changes of one discovery, newest first."""

    changes: tuple[Change, ...]
