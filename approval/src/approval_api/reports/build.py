"""Builds a report from stored events alone."""

from collections import Counter
from collections.abc import Iterable, Sequence

from approval_api.forecasting.forecast import forecast as forecast_network
from approval_api.forecasting.observation import observe
from approval_api.reports.forecast import ForecastQuestion, forecast
from approval_api.reports.network_map import draw_network
from approval_api.reports.not_rehearsed import NOT_REHEARSED
from approval_api.reports.scanned_session import ScannedSession
from approval_api.reports.scope import check_scope
from approval_api.scoring.score import score, score_each_alone
from approval_api.sessions.stored import StoredSession
from dryrun_contract.event import Event
from dryrun_contract.ground_truth import Fact
from dryrun_contract.report import (
    VERSION,
    Isolation,
    NetworkMap,
    Placement,
    Report,
    ReportTemplate,
    Traffic,
)
from dryrun_contract.scores import CollectorScores, Scores
from dryrun_contract.session import Outcome, Phase
from dryrun_contract.template import StandsFor, Template

_BEFORE_THE_END_OF_SCANNING = frozenset(
    {"requested", Phase.QUEUED, Phase.PROVISIONING, Phase.WAITING, Phase.SCANNING}
)
_ENDED_AS: dict[Outcome | None, str] = {
    Outcome.STOPPED: "was stopped",
    Outcome.EXPIRED: "expired",
    Outcome.FAILED: "failed",
}


def build(
    stored: StoredSession,
    events: Iterable[Event],
    question: ForecastQuestion | None = None,
) -> Report:
    """Return the report of a session from its `events`, oldest first."""
    scanned = ScannedSession()
    for event in events:
        scanned.read(event)
    view, template = stored.view, stored.template
    missing = _why_no_scores(stored, scanned)
    scores: Scores | None = None
    alone: tuple[CollectorScores, ...] = ()
    network: NetworkMap | None = None
    kinds = _kinds_looked_for(stored, scanned)
    if template is not None and missing is None:
        scores, alone, network = _score(template.ground_truth.facts, scanned)
        missed = Counter(each.kind for each in scores.false_negatives if each.attribute is None)
        others = {kind: missed[kind] for kind in sorted(missed) if kinds is not None and kind not in kinds}
        scores = scores.model_copy(update={"not_looked_for": others})
    traffic, probed, placed = scanned.traffic, scanned.isolation, scanned.placement
    report = Report(
        version=VERSION,
        final=view.phase == Phase.ENDED,
        scan_over=view.phase not in _BEFORE_THE_END_OF_SCANNING,
        session=view,
        verdict=None,
        scores=scores,
        scores_missing=missing,
        collector_scores=alone,
        harmed=tuple(scanned.harmed),
        phases=scanned.durations(),
        bring_up=scanned.bring_up,
        traffic=Traffic(**traffic.model_dump(exclude={"type"})) if traffic else None,
        logs=scanned.logs.targets if scanned.logs else None,
        collectors=scanned.collector_runs(),
        images=scanned.images(),
        template=ReportTemplate(
            id=view.template,
            title=template.title if template else None,
            digest=view.template_digest,
            seed=view.seed,
            stands_for=_without_census(template),
        ),
        isolation=Isolation(isolated=probed.isolated, detail=probed.detail) if probed else None,
        placement=Placement(**placed.model_dump(exclude={"type", "targets"})) if placed else None,
        scope=check_scope(scanned),
        network=network,
        not_rehearsed=NOT_REHEARSED,
        history_complete=stored.history_complete,
    )
    # What to expect of a network speaks of what these collectors look for there.
    facts = template.ground_truth.facts if template else ()
    looked_for = [fact for fact in facts if kinds is None or fact.kind in kinds]
    seen = observe(looked_for, template.stands_for, report) if template else None
    return report.model_copy(
        update={
            "forecast": None
            if seen and question is None
            else forecast(report, question or ForecastQuestion()),
            "network_forecast": seen and forecast_network([seen]),
            "observation": seen,
        }
    )


def _kinds_looked_for(stored: StoredSession, scanned: ScannedSession) -> frozenset[str] | None:
    """Return the kinds that the session's scored collectors discover; None for all."""
    if stored.template is None:
        return None
    return scanned.kinds_looked_for(stored.view.scan.collectors or stored.template.collectors)


def _without_census(template: Template | None) -> StandsFor | None:
    # The observation has it.
    known = template.stands_for if template else None
    return known.model_copy(update={"census": None}) if known else None


def _score(
    facts: Sequence[Fact], scanned: ScannedSession
) -> tuple[Scores, tuple[CollectorScores, ...], NetworkMap]:
    addresses = scanned.addresses
    alone = score_each_alone(facts, scanned.findings, addresses, scanned.claims)
    scores = score(facts, scanned.counted_findings(), addresses)
    return scores, alone, draw_network(facts, scores, addresses)


def _why_no_scores(stored: StoredSession, scanned: ScannedSession) -> str | None:
    if stored.template is None:
        return (
            "this API has no record of the session's start, as after an older backup was restored, "
            "so its ground truth was not stored"
        )
    if not scanned.has_scanned:
        return "no collector has run"
    if (
        stored.view.phase == Phase.ENDED
        and stored.view.outcome != Outcome.COMPLETED
        and scanned.was_cut_short
    ):
        return (
            f"the session {_ENDED_AS.get(stored.view.outcome, 'ended')} before its scan was over; "
            "what was found by then is not a result"
        )
    return None
