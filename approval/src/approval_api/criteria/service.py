"""Stores criteria by name, and chooses those that something new is judged by."""

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.criteria import repository
from approval_api.criteria.named import NamedCriteria
from approval_api.database.readable import read_one, readable
from approval_api.reports.criteria import DEFAULT_CRITERIA, Criteria
from approval_api.sessions.stored import JudgedBy
from approval_api.web.problems import ProblemError, too_many
from dryrun_contract.named_criteria import BUILT_IN

MOST_SETS = 100
_OF_ANOTHER = "the criteria {}"


async def list_all(connection: AsyncConnection) -> list[NamedCriteria]:
    """Return every set, the built-in one first."""
    rows = await repository.all_rows(connection)
    built_in = NamedCriteria(
        name=BUILT_IN,
        is_default=not any(row["is_default"] for row in rows),
        criteria=DEFAULT_CRITERIA,
        stored_by=None,
        stored_at=None,
    )
    return [built_in, *readable(rows, _named, "a set of criteria", key="name")]


async def names(connection: AsyncConnection) -> list[str]:
    """Return the names that can be chosen, the default first."""
    default = await repository.find_default(connection)
    first = BUILT_IN if default is None else default["name"]
    return [first, *(name for name in (BUILT_IN, *await repository.names(connection)) if name != first)]


async def show(connection: AsyncConnection, name: str) -> NamedCriteria:
    """Return one set. Raises a 404 problem that names those there are."""
    if name == BUILT_IN:
        return (await list_all(connection))[0]
    row = await repository.find(connection, name)
    if row is None:
        raise await _unknown(connection, name)
    return read_one(row, _named, _OF_ANOTHER.format(name))


async def default(connection: AsyncConnection) -> Criteria:
    """Return the criteria that new sessions are judged by unless they name others."""
    row = await repository.find_default(connection)
    return DEFAULT_CRITERIA if row is None else read_one(row, _criteria, _OF_ANOTHER.format(row["name"]))


async def choose(connection: AsyncConnection, name: str | None) -> JudgedBy | None:
    """Return the set of that name, or the default, to be kept with what it judges; None: the built-in one.

    Raises a 404 problem for a name that nobody stored.
    """
    if name == BUILT_IN:
        return None
    row = await (repository.find_default(connection) if name is None else repository.find(connection, name))
    if row is None and name is not None:
        raise await _unknown(connection, name)
    return None if row is None else JudgedBy(row["name"], row["criteria"])


async def store(connection: AsyncConnection, name: str, criteria: Criteria, actor: str) -> NamedCriteria:
    """Store a set, or replace one; what was judged keeps what it was judged by. Raises ProblemError: 409."""
    _require_own(name)
    await repository.lock(connection)
    known = await repository.names(connection)
    if name not in known and len(known) >= MOST_SETS:
        raise too_many("criteria", f"{MOST_SETS} sets of criteria are stored", 409)
    await repository.store(connection, name, criteria, actor)
    return await show(connection, name)


async def choose_default(connection: AsyncConnection, name: str) -> None:
    """Let new sessions be judged by a set unless they name another. Raises a 404 problem."""
    await repository.lock(connection)
    chosen = await choose(connection, name)
    await repository.set_default(connection, None if chosen is None else name)


async def remove(connection: AsyncConnection, name: str) -> None:
    """Delete a set; without a default, the built-in one is. Raises ProblemError: 404, 409."""
    _require_own(name)
    await repository.lock(connection)
    if not await repository.remove(connection, name):
        raise await _unknown(connection, name)


def _named(row: RowMapping) -> NamedCriteria:
    values = {key: row[key] for key in ("name", "is_default", "stored_by", "stored_at")}
    return NamedCriteria(**values, criteria=_criteria(row))


def _criteria(row: RowMapping) -> Criteria:
    return Criteria.model_validate(row["criteria"])


def _require_own(name: str) -> None:
    if name == BUILT_IN:
        raise ProblemError(
            "built-in-criteria",
            409,
            f"{BUILT_IN!r} names the criteria of this version; store yours under another name",
            title="The name is taken",
        )


async def _unknown(connection: AsyncConnection, name: str) -> ProblemError:
    known = ", ".join((BUILT_IN, *await repository.names(connection)))
    return ProblemError(
        "unknown-criteria",
        404,
        f"no criteria are stored as {name}; there are {known}",
        title="Unknown criteria",
    )
