"""Durations of past sessions, to predict the next one's."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class TypicalDuration:
    """How long a template's sessions took, from the request until everything of them was removed."""

    seconds: float
    """The median."""
    sessions: int
    """The number of sessions it is the median of."""


# A network that was kept after its scan does not show how long a scan takes.
_TYPICAL = text("""
SELECT template, digest, count(*) AS sessions,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - requested_at)) AS seconds
FROM (
    SELECT template, digest, requested_at, ended_at FROM gateway.dryrun_sessions
    WHERE outcome = 'completed' AND NOT keep ORDER BY requested_at DESC LIMIT 500
) AS recent
GROUP BY template, digest
""")


async def typical_durations(connection: AsyncConnection) -> dict[tuple[str, str], TypicalDuration]:
    """Return durations of completed sessions by template and digest: another version is another network."""
    rows = (await connection.execute(_TYPICAL)).mappings()
    return {
        (row["template"], row["digest"]): TypicalDuration(float(row["seconds"]), row["sessions"])
        for row in rows
    }
