"""Finds a session's report, judged by criteria when some are given. Nothing of it is stored."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.events.repository import all_of
from approval_api.reports.build import build
from approval_api.reports.criteria import Criteria, judge
from approval_api.reports.forecast import ForecastQuestion
from approval_api.reports.model import Report
from approval_api.sessions import repository
from approval_api.sessions.service import unknown_session


async def find_report(
    connection: AsyncConnection,
    session_id: UUID,
    criteria: Criteria | None = None,
    question: ForecastQuestion | None = None,
) -> Report:
    """Return the report, with a verdict when there are criteria. Raises ProblemError: unknown session."""
    stored = await repository.find_stored(connection, session_id)
    if stored is None:
        raise unknown_session(session_id)
    report = await build(stored, all_of(connection, session_id), question)
    return report if criteria is None else report.model_copy(update={"verdict": judge(report, criteria)})
