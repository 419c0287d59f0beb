"""What each way to scan achieved in many experiments at once, without reading all of their results."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from dryrun_contract.experiment_results import ArmResult

# Results may have a hundred thousand values, and a schedule shows a hundred of them: of each arm its figures
# leave the database, with the row of services in place of all rows.
_ARMS = text("""
SELECT e.id, (
    SELECT jsonb_agg(arm || jsonb_build_object('rows', coalesce((
        SELECT jsonb_agg(row) FROM (
            SELECT row FROM jsonb_array_elements(arm -> 'rows') AS row
            WHERE row ->> 'kind' = 'service' AND row ->> 'attribute' IS NULL LIMIT 1) AS first), '[]'))
        ORDER BY place)
    FROM jsonb_array_elements(e.results -> 'arms') WITH ORDINALITY AS arms (arm, place)
) AS arms
FROM gateway.experiments e WHERE e.id = ANY(:ids) AND e.results IS NOT NULL
""")


async def arms_of(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, tuple[ArmResult, ...]]:
    """Return the arms of those experiments that have results, by id; of their rows that of services alone."""
    found = await connection.execute(_ARMS, {"ids": list(ids)})
    return {row.id: tuple(map(ArmResult.model_validate, row.arms or ())) for row in found}
