"""Puts the view together: the page to decide by, then what a doubter asks next, in that order."""

from approval_api.reports.view import decision, differences, figures, outlook, provenance, targets
from approval_api.reports.view.blocks import Section, Text, Told, View, text
from dryrun_contract.report import Report


def view_of(report: Report) -> View:
    """Return what every renderer renders."""
    sections: tuple[Section | None, ...] = (
        decision.decision(report),
        targets.targets(report),
        differences.network(report),
        differences.differences(report),
        figures.scores(report),
        figures.collectors(report),
        targets.logs(report),
        outlook.forecast(report),
        outlook.not_rehearsed(report),
        provenance.course(report),
        differences.found(report),
        provenance.provenance(report),
    )
    verdict = report.verdict
    return View(
        title=text("Dry-run of ", Told(report.template.id)),
        subtitle=_subtitle(report),
        verdict="none" if verdict is None else "passed" if verdict.passed else "failed",
        headline=decision.headline(report),
        alerts=_alerts(report),
        sections=tuple(section for section in sections if section is not None),
    )


def _subtitle(report: Report) -> tuple[Text, ...]:
    session, template = report.session, report.template
    lines = []
    if template.title:
        lines.append(text(Told(template.title, prose=True), f", seed {template.seed}"))
    asked = f" at {session.requested_at:%Y-%m-%d %H:%M:%S} UTC"
    lines.append(text("Asked for by ", Told(session.requested_by), asked))
    lines.append(text("Session ", Told(str(session.id))))
    if session.outcome is not None:
        outcome = text(f"Outcome: {session.outcome}")
        lines.append(
            text(f"Outcome: {session.outcome}: ", Told(session.reason, 500, prose=True))
            if session.reason
            else outcome
        )
    return tuple(lines)


def _alerts(report: Report) -> tuple[Text, ...]:
    alerts = []
    if not report.final:
        phase = Told(str(report.session.phase))
        alerts.append(text("Not final: the session is still ", phase, "; figures may change.", tone="warn"))
    if not report.history_complete:
        alerts.append(
            text("Incomplete: events of this session were lost; figures are of what is left.", tone="bad")
        )
    if report.left_out:
        alerts.append(
            text(
                f"Cut: {report.left_out:,} events of this session are more than a report takes; figures are "
                "of the ones that came first. The list of discoveries has all of them.",
                tone="bad",
            )
        )
    if report.isolation is not None and not report.isolation.isolated:
        alerts.append(text("Not isolated: ", Told(report.isolation.detail), tone="bad"))
    return tuple(alerts)
