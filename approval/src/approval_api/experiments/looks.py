"""Reads what became of one fact in the measured runs on its template, inside the caller's transaction."""

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from approval_api.database.readable import readable
from approval_api.database.storable import storable_text
from approval_api.experiments.fact_history import Look
from approval_api.experiments.measure import FactResult, Name
from approval_api.experiments.plan import planned_run
from dryrun_contract.experiment import ExperimentRequest

_LOOKS = text("""
SELECT r.experiment_id, r.number, r.session_id, s.seed, s.ended_at, e.request,
    r.measured -> 'images' AS images, r.measured -> 'configurations' AS configurations,
    r.measured -> 'facts_left_out' <> '0' AS was_cut, (
        SELECT fact FROM jsonb_array_elements(r.measured -> 'facts') AS fact
        WHERE fact ->> 'kind' = :kind AND fact ->> 'key' = :key
            AND fact ->> 'attribute' IS NOT DISTINCT FROM CAST(:attribute AS text) LIMIT 1
    ) AS fact
FROM gateway.dryrun_sessions s
JOIN gateway.experiment_runs r ON r.session_id = s.id
JOIN gateway.experiments e ON e.id = r.experiment_id
WHERE s.template = :template AND s.ended_at IS NOT NULL AND r.measured IS NOT NULL
ORDER BY s.ended_at DESC LIMIT :most
""")


async def looks_at(connection: AsyncConnection, template: str, name: Name, most: int) -> list[Look]:
    """Return the newest measured runs on a template, each with what became of one fact."""
    kind, key, attribute = name
    asked = {
        "template": storable_text(template),
        "kind": storable_text(kind),
        "key": storable_text(key),
        "attribute": None if attribute is None else storable_text(attribute),
        "most": most,
    }
    rows = (await connection.execute(_LOOKS, asked)).mappings()
    return readable(rows, _look, "a run", key="session_id")


def _look(row: RowMapping) -> Look:
    return Look(
        session_id=row["session_id"],
        experiment_id=row["experiment_id"],
        arm=planned_run(ExperimentRequest.model_validate(row["request"]), row["number"]).arm.name,
        seed=row["seed"],
        at=row["ended_at"],
        images=row["images"] or {},
        configurations=row["configurations"] or {},
        fact=None if row["fact"] is None else FactResult.model_validate(row["fact"]),
        was_cut=bool(row["was_cut"]),
    )
