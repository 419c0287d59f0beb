"""How ended sessions came out, for lists."""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.events.repository import all_of
from approval_api.reports.build import build
from approval_api.scores import ScoreRow
from approval_api.sessions import repository
from approval_api.sessions.schemas import SessionView

_REMEMBERED = 500


@dataclass(frozen=True, slots=True)
class Result:
    """How a session came out, in a line."""

    session: SessionView
    precision: float | None
    recall: float | None
    f1: float | None
    missed: int | None
    invented: int | None
    harmed: int


class Results:
    """Reports of ended sessions do not change any more: each is worked out once per process."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: OrderedDict[UUID, Result] = OrderedDict()

    async def of(self, connection: AsyncConnection, session_id: UUID) -> Result | None:
        """Return a session's result, or None when there is no such session."""
        known = self._known.get(session_id)
        if known is not None:
            return known
        stored = await repository.find_stored(connection, session_id)
        if stored is None:
            return None
        report = await build(stored, all_of(connection, session_id))
        scores = report.scores
        keys: list[ScoreRow] = [row for row in scores.rows if row.attribute is None] if scores else []
        result = Result(
            session=stored.view,
            precision=scores.overall.precision if scores else None,
            recall=scores.overall.recall if scores else None,
            f1=scores.overall.f1 if scores else None,
            missed=sum(row.false_negatives for row in keys) if scores else None,
            invented=sum(row.false_positives for row in keys) if scores else None,
            harmed=len({harm.service for harm in report.harmed}),
        )
        if report.final:
            self._known[session_id] = result
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return result
