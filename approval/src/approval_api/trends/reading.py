"""Reads trends: of a template's sessions, of one collector in them, and of a schedule's times.

Nothing is stored for them: a session's figures are kept with its report, and an experiment has its results.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy import Integer, RowMapping, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from approval_api.database.readable import readable
from approval_api.orchestrator.client import OrchestratorClient
from approval_api.reports.figures import Measures
from dryrun_contract.experiment_results import Interval
from dryrun_contract.scan_choice import ScanChoice
from dryrun_contract.schedule import Schedule
from dryrun_contract.trend import MAX_POINTS, Trend, TrendPoint

SPARKLINE_POINTS = 20
_LOOKED_AT = 400

_SESSIONS = text("""
SELECT s.id, s.requested_at, s.scan, r.figures -> 'measures' AS measures, r.figures -> 'cut' AS cut
FROM gateway.dryrun_sessions s JOIN gateway.dryrun_reports r ON r.session_id = s.id
WHERE s.template = :template AND r.final AND r.failure IS NULL AND r.figures -> 'measures' <> 'null'
    AND (CAST(:collector AS text) IS NULL
        OR jsonb_exists(r.figures -> 'measures' -> 'collectors', CAST(:collector AS text)))
ORDER BY s.requested_at DESC, s.id DESC LIMIT :most
""").bindparams(bindparam("most", type_=Integer))

_NEWEST = text("""
SELECT template, scan, recall FROM (
    SELECT s.template, s.scan, s.requested_at, r.figures -> 'measures' ->> 'recall' AS recall,
        row_number() OVER (PARTITION BY s.template, s.scan ORDER BY s.requested_at DESC) AS age
    FROM (SELECT id, template, scan, requested_at FROM gateway.dryrun_sessions known
          WHERE NOT EXISTS (SELECT FROM gateway.experiment_runs WHERE session_id = known.id)
          ORDER BY requested_at DESC, id DESC LIMIT :looked_at) s
    JOIN gateway.dryrun_reports r ON r.session_id = s.id
    WHERE r.final AND r.failure IS NULL AND r.figures -> 'measures' ->> 'recall' IS NOT NULL
) newest WHERE age <= :most ORDER BY template, scan, age DESC
""")


_TEMPLATES = text("""
SELECT DISTINCT template FROM (
    SELECT template FROM gateway.dryrun_sessions ORDER BY requested_at DESC, id DESC LIMIT :looked_at
) newest ORDER BY template
""")

_KNOWN = text("SELECT EXISTS (SELECT FROM gateway.dryrun_sessions WHERE template = :template)")


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Recall of services in a template's newest sessions that scanned in one way, oldest first."""

    template: str
    way: str
    """Empty for collectors as they are installed."""
    recalls: tuple[float, ...]


async def require_template(engine: AsyncEngine, orchestrator: OrchestratorClient, template: str) -> None:
    """Raise a 404 problem for a template that had no session and cannot be started either.

    No connection is held while the orchestrator is asked, which is only for one that had none.
    """
    async with engine.connect() as connection:
        known = await had_a_session(connection, template)
    if not known:
        await orchestrator.template(template)


async def had_a_session(connection: AsyncConnection, template: str) -> bool:
    """Return whether there is a session of a template, which may have been removed since."""
    known: bool = (await connection.execute(_KNOWN, {"template": template})).scalar_one()
    return known


async def of_template(connection: AsyncConnection, template: str, collector: str | None = None) -> Trend:
    """Return the newest scored sessions of a template; with `collector`, that collector's own figures."""
    given = {"template": template, "collector": collector, "most": MAX_POINTS}
    rows = list((await connection.execute(_SESSIONS, given)).mappings())
    points = readable(rows[::-1], lambda row: _point(row, collector), "a session's score")
    return Trend(points=tuple(points))


def _point(row: RowMapping, collector: str | None) -> TrendPoint:
    measures = Measures.model_validate(row["measures"])
    own = measures if collector is None else measures.collectors[collector]
    images = {name: each.image for name, each in measures.collectors.items()}
    return TrendPoint(
        at=row["requested_at"],
        line=_way(row["scan"]),
        measured={
            "recall": _exactly(own.recall),
            "precision": _exactly(own.precision),
            "harmed": _exactly(measures.harmed),
            "seconds": _exactly(own.seconds),
            "packets": _exactly(measures.packets),
        },
        images=images if collector is None else {collector: images[collector]},
        whole=not row["cut"],
        session_id=row["id"],
    )


async def templates(connection: AsyncConnection) -> list[str]:
    """Return the templates of the newest sessions."""
    return list((await connection.execute(_TEMPLATES, {"looked_at": _LOOKED_AT})).scalars())


async def collectors(connection: AsyncConnection, template: str) -> set[str]:
    """Return the collectors that ran in the newest scored sessions of a template."""
    given = {"template": template, "collector": None, "most": MAX_POINTS}
    rows = (await connection.execute(_SESSIONS, given)).mappings()
    measured = readable(rows, lambda row: Measures.model_validate(row["measures"]), "a session's score")
    return {name for measures in measured for name in measures.collectors}


def of_schedule(schedule: Schedule) -> Trend:
    """Return the measured times of a schedule, one line for each way to scan."""
    points = [
        TrendPoint(
            at=firing.due_at,
            line=arm.arm,
            measured=dict(arm.measured),
            images=arm.images,
            whole=not arm.incomplete,
            experiment_id=firing.experiment.id if firing.experiment else None,
        )
        for firing in reversed(schedule.firings)
        for arm in firing.arms
        if arm.services.value is not None
    ]
    return Trend(points=tuple(points[-MAX_POINTS:]))


async def sparklines(connection: AsyncConnection) -> list[Sparkline]:
    """Return recall in the newest sessions of each template and way to scan that have at least two.

    Without those of experiments, whose arms differ on purpose and are compared there.
    """
    found = await connection.execute(_NEWEST, {"looked_at": _LOOKED_AT, "most": SPARKLINE_POINTS})
    recalls: dict[tuple[str, str], list[float]] = {}
    for template, scan, recall in found:
        way = _way(scan, as_installed="")
        recalls.setdefault((template, way), []).append(float(recall))
    return [Sparkline(*name, tuple(values)) for name, values in recalls.items() if len(values) > 1]


def _way(stored: Mapping[str, object], *, as_installed: str = "as installed") -> str:
    try:
        scan = ScanChoice.model_validate(stored)
    except ValidationError:
        return "chosen in another version"
    rate = f"{scan.max_rate}/s" if scan.max_rate else None
    return " ".join(filter(None, ("+".join(scan.collectors), scan.profile, rate))) or as_installed


def _exactly(value: float | None) -> Interval:
    return Interval(value=value, low=None, high=None)
