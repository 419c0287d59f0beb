"""A stored check of a forecast, as pages show it: some figures inside their intervals, one outside."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from approval_api.checks import repository
from dryrun_contract.check import Check, CheckedGroup, CheckedQuantity, Comparison
from dryrun_contract.network_forecast import Expected


def _group(what, name, total, expected, outcome, *, unknown=0, within=True):
    value, low, high = expected
    return CheckedGroup(
        what=what,
        name=name,
        total=total,
        predicted=Expected(value=value, low=low, high=high),
        unknown=unknown,
        outcome=outcome,
        within=within,
    )


COMPARISON = Comparison(
    network="n0123456789abcdef",
    hosts=45,
    sessions=5,
    complete=True,
    groups=(
        _group("kind", "host", 45, (44, 42, 45), 45),
        _group("kind", "service", 78, (61, 58, 66), 52, unknown=5, within=False),
        _group("place", "443/tcp", 30, (29.5, 28, 30), 20, within=False),
        _group("place", "5432/tcp", 10, (10, 9.5, 10), 10),
        _group("product", "PostgreSQL DB", 10, (9, 8, 10), 9),
    ),
    quantities=(
        CheckedQuantity(
            name="seconds", predicted=Expected(value=131, low=110, high=160), outcome=142, within=True
        ),
    ),
    explained_by={"service": ("443/tcp: 20 found, 28 to 30 expected",)},
    not_in_inventory={"8443/tcp": 3},
)


async def store_check(engine: AsyncEngine, session_id: UUID) -> str:
    """Store a check of a session's forecast and return its id."""
    check = Check(
        id=uuid4(),
        session_id=session_id,
        template="small",
        checked_by="ada",
        checked_at=datetime.now(UTC),
        source="output",
        comparison=COMPARISON,
    )
    async with engine.begin() as connection:
        await repository.keep(connection, check, [session_id])
    return str(check.id)
