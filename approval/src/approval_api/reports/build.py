"""Builds a report from stored events alone."""

from collections.abc import Iterable, Sequence

from approval_api.reports import model
from approval_api.reports.forecast import ForecastQuestion, forecast
from approval_api.reports.network_map import draw_network
from approval_api.reports.not_rehearsed import NOT_REHEARSED
from approval_api.reports.reading import Reading
from approval_api.reports.scope import check_scope
from approval_api.scoring.score import score, score_each_alone
from approval_api.scoring.scores import CollectorScores, Scores
from approval_api.sessions.stored import StoredSession
from dryrun_contract.event import Event
from dryrun_contract.ground_truth import Fact
from dryrun_contract.session import Phase

_BEFORE_THE_END_OF_SCANNING = frozenset(
    {"requested", Phase.QUEUED, Phase.PROVISIONING, Phase.WAITING, Phase.SCANNING}
)


def build(
    stored: StoredSession,
    events: Iterable[Event],
    question: ForecastQuestion | None = None,
) -> model.Report:
    """Return the report of a session from its `events`, oldest first."""
    reading = Reading()
    for event in events:
        reading.read(event)
    view, template = stored.view, stored.template
    missing = _why_no_scores(stored, reading)
    scores: Scores | None = None
    alone: tuple[CollectorScores, ...] = ()
    network: model.NetworkMap | None = None
    if template is not None and missing is None:
        scores, alone, network = _score(template.ground_truth.facts, reading)
    traffic = reading.traffic
    report = model.Report(
        final=view.phase == Phase.ENDED,
        scan_over=view.phase not in _BEFORE_THE_END_OF_SCANNING,
        session=view,
        verdict=None,
        scores=scores,
        scores_missing=missing,
        collector_scores=alone,
        harmed=tuple(reading.harmed),
        phases=reading.durations(),
        traffic=model.Traffic(**traffic.model_dump(exclude={"type"})) if traffic else None,
        logs=reading.logs.targets if reading.logs else None,
        collectors=tuple(run.result() for run in reading.runs.values()),
        images=tuple(image for _, image in sorted(reading.images.items())),
        template=model.ReportTemplate(
            id=view.template,
            title=template.title if template else None,
            digest=view.template_digest,
            seed=view.seed,
        ),
        isolation=reading.isolation,
        scope=check_scope(reading),
        network=network,
        not_rehearsed=NOT_REHEARSED,
        history_complete=stored.history_complete,
    )
    return report.model_copy(update={"forecast": forecast(report, question or ForecastQuestion())})


def _score(
    facts: Sequence[Fact], reading: Reading
) -> tuple[Scores, tuple[CollectorScores, ...], model.NetworkMap]:
    findings, addresses = reading.findings, reading.addresses
    alone = score_each_alone(facts, findings, addresses)
    scores = score(facts, reading.counted(), addresses)
    return scores, alone, draw_network(facts, scores, addresses)


def _why_no_scores(stored: StoredSession, reading: Reading) -> str | None:
    if stored.template is None:
        return "the session was not started by this API, so its ground truth was not stored"
    if not reading.runs:
        return "no collector has run"
    return None
