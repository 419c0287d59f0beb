"""Compares the newest run of each schedule with the one before it: verdict, and recall of services."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# The two newest runs that are over, with their verdict: every session that has one passed. A run is as old
# as its sessions, since reports are computed anew.
_NEWEST = text("""
SELECT * FROM (
    SELECT f.schedule_id, f.due_at, f.experiment_id, s.owner, s.request -> 'experiment' ->> 'name' AS name,
        e.results, v.passed, v.at,
        row_number() OVER (PARTITION BY f.schedule_id ORDER BY f.due_at DESC) AS turn,
        max(v.at) OVER (PARTITION BY f.schedule_id) AS newest
    FROM gateway.schedule_firings f
    JOIN gateway.schedules s ON s.id = f.schedule_id
    JOIN gateway.experiments e ON e.id = f.experiment_id AND e.results IS NOT NULL
    CROSS JOIN LATERAL (
        SELECT bool_and((r.figures ->> 'passed')::boolean) AS passed, max(d.ended_at) AS at
        FROM gateway.experiment_runs x JOIN gateway.dryrun_sessions d ON d.id = x.session_id
        JOIN gateway.dryrun_reports r ON r.session_id = x.session_id AND r.final
        WHERE x.experiment_id = f.experiment_id) v
    WHERE f.due_at > now() - interval '90 days' AND NOT EXISTS (
        SELECT 1 FROM gateway.experiment_runs x
        WHERE x.experiment_id = f.experiment_id AND x.measured IS NULL AND x.failure IS NULL)
) runs WHERE turn <= 2 AND newest > now() - interval '1 day' ORDER BY schedule_id, turn
""")


async def regressions(connection: AsyncConnection) -> list[dict[str, object]]:
    """Return what got worse or changed: occasion, object, text, link, whose, at."""
    rows = (await connection.execute(_NEWEST)).mappings().all()
    newest = {row["schedule_id"]: row for row in rows if row["turn"] == 1}
    found: list[dict[str, object]] = []
    for before in (row for row in rows if row["turn"] == 2):
        now = newest[before["schedule_id"]]
        if now["at"] is None:
            continue
        common = {
            "object": str(now["experiment_id"]),
            "link": f"/dryrun/schedules/{now['schedule_id']}",
            "whose": now["owner"],
            "at": now["at"],
        }
        found.extend(
            {"occasion": occasion, "text": f"Schedule {now['name']}: {sentence}", **common}
            for occasion, sentence in _differences(before, now)
        )
    return found


def _differences(before: Any, now: Any) -> Iterator[tuple[str, str]]:
    if None not in {before["passed"], now["passed"]} and before["passed"] != now["passed"]:
        words = {True: "passed", False: "failed"}
        yield "verdict_changed", f"its verdict was {words[before['passed']]} and is {words[now['passed']]}"
    earlier = _recalls(before["results"])
    worse = [
        f"{arm} {low_or_value[1]:.2f} → {value:.2f}"
        for arm, (_, value) in _recalls(now["results"]).items()
        if (low_or_value := earlier.get(arm)) is not None and value < low_or_value[0]
    ]
    if worse:
        yield "recall_regressed", f"recall of services fell: {', '.join(worse)}"


def _recalls(results: Any) -> dict[str, tuple[float, float]]:
    """Return each arm's recall of services: the lower end of its interval, and its value.

    A value below the last run's interval is worse than chance explains.
    """
    found = {}
    for arm in results.get("arms", []):
        for row in arm.get("rows", []):
            recall = row.get("recall") or {}
            value = recall.get("value")
            if (row.get("kind"), row.get("attribute")) == ("service", None) and value is not None:
                low = value if recall.get("low") is None else recall["low"]
                found[str(arm.get("arm"))] = (low, value)
    return found
