"""Composes the view: first the section to decide by, then the rest in the order of readers' questions."""

from approval_api.reports.view import (
    decision,
    differences,
    figures,
    outlook,
    provenance,
    real_network,
    targets,
)
from approval_api.reports.view.blocks import Quoted, Section, Text, View, text
from approval_api.reports.view.wording import times
from dryrun_contract.report import Report


def view_of(report: Report) -> View:
    """Return what every renderer renders."""
    sections: tuple[Section | None, ...] = (
        decision.decision(report),
        real_network.coverage(report),
        real_network.expectation(report),
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
        title=text("Dry-run of ", Quoted(report.template.id)),
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
        lines.append(text(Quoted(template.title, prose=True), f", seed {template.seed}"))
    if template.stands_for is not None:
        known = template.stands_for
        lines.append(
            text(
                f"Stands for a network of {times(known.hosts, 'host')}, from ",
                Quoted(known.made_from, prose=True),
                f", {known.made_on}: {known.levels.sentence}",
            )
        )
    at = f" at {session.requested_at:%Y-%m-%d %H:%M:%S} UTC"
    lines.append(text("Requested by ", Quoted(session.requested_by), at))
    lines.append(text("Session ", Quoted(str(session.id))))
    if not session.scan.is_empty:
        lines.append(text("Chosen for the scan: ", Quoted(session.scan.in_words, 1000, prose=True)))
    if session.outcome is not None:
        outcome = text(f"Outcome: {session.outcome}")
        lines.append(
            text(f"Outcome: {session.outcome}: ", Quoted(session.reason, 500, prose=True))
            if session.reason
            else outcome
        )
    return tuple(lines)


def _alerts(report: Report) -> tuple[Text, ...]:
    alerts = []
    if not report.final:
        phase = Quoted(str(report.session.phase))
        alerts.append(text("Not final: the session is still ", phase, "; figures may change.", tone="warn"))
    if not report.history_complete:
        alerts.append(
            text("Incomplete: events of this session were lost; figures cover the rest.", tone="bad")
        )
    if report.left_out:
        alerts.append(
            text(
                f"Cut: {report.left_out:,} events exceed the limit of a report; figures cover the first. "
                "The list of discoveries has all of them.",
                tone="bad",
            )
        )
    if report.isolation is not None and not report.isolation.isolated:
        alerts.append(text("Not isolated: ", Quoted(report.isolation.detail), tone="bad"))
    return tuple(alerts)
