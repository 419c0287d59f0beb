"""The list of experiments, newest first, in pages."""

from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.experiments import repository
from approval_api.sessions.listing import key_of, older_than
from approval_api.web.pagination import from_cursor, to_cursor
from dryrun_contract.base import Word
from dryrun_contract.experiment import ExperimentView


class ExperimentList(Word):
    """A page of experiments, newest first."""

    experiments: tuple[ExperimentView, ...]
    next: str | None
    """Cursor of the next page; null at the end."""


async def page(connection: AsyncConnection, limit: int, cursor: str | None) -> ExperimentList:
    """Return a page of the list. Raises a 422 problem for a cursor that this list did not issue."""
    found, last = await repository.page(connection, limit, from_cursor(cursor, older_than))
    following = None if last is None else to_cursor(*key_of(*last))
    return ExperimentList(experiments=tuple(found), next=following)
