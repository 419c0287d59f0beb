"""The session's course, and digests of what ran, to compare a production run with."""

from approval_api.reports.view.blocks import (
    Bar,
    Bars,
    Paragraph,
    Quoted,
    Section,
    Segment,
    Tone,
    quoted,
    table,
    text,
)
from approval_api.reports.view.bring_up import bring_up
from approval_api.reports.view.wording import seconds
from dryrun_contract.report import Placement, Report
from dryrun_contract.session import Phase

_AT_ONCE_SECONDS = 2.0
"""A request that takes longer to be handed over has waited for something."""


def course(report: Report) -> Section:
    """Return how long each phase took."""
    bars = tuple(
        Bar(
            text(Quoted(phase.phase.replace("_", " "), prose=True)),
            (Segment(phase.seconds or 0, "quiet", "seconds"),),
            seconds(phase.seconds),
        )
        for phase in report.phases
    )
    chart = Bars("Duration of each phase", bars, in_table=False)
    prepared = report.session.prepared_at
    what = ", isolation proof and targets" if _was_prepared_whole(report) else " and isolation proof"
    ahead = Paragraph(
        text(
            f"Prepared in advance at {prepared:%Y-%m-%d %H:%M:%S} UTC: network{what} "
            "date from then, and the deadline counts from then. The phases below begin with the request.",
            tone="quiet",
        )
        if prepared
        else text()
    )
    nothing = Paragraph(text("Nothing has happened yet.", tone="quiet"))
    traced = bring_up(report.bring_up, _request_seconds(report))
    blocks = (*((ahead,) if prepared else ()), chart if bars else nothing, *((traced,) if traced else ()))
    return Section("course", "Timeline of the session", blocks)


def _was_prepared_whole(report: Report) -> bool:
    """Return whether its targets were healthy before its request: then no time passed in this phase."""
    waiting = [phase.seconds for phase in report.phases if phase.phase == Phase.WAITING]
    return report.session.prepared_at is not None and waiting == [0]


def _request_seconds(report: Report) -> float:
    """Return how long the request was on its way to the orchestrator.

    0 for what was prepared before it, and for one that waited for its turn or for an orchestrator: minutes,
    beside which nothing else would be seen.
    """
    session = report.session
    if _was_prepared_whole(report) or session.accepted_at is None:
        return 0.0
    request_seconds = (session.accepted_at - session.requested_at).total_seconds()
    # Between the two the clock may have been set back.
    return request_seconds if 0 <= request_seconds <= _AT_ONCE_SECONDS else 0.0


def provenance(report: Report) -> Section:
    """Return what ran, by digest."""
    template, isolation = report.template, report.isolation
    rows = [
        (
            text("template ", Quoted(template.id), f", seed {template.seed}"),
            quoted(template.digest, limit=80),
            text(),
        )
    ]
    rows += [
        (
            text("collector ", Quoted(run.collector), ", ", Quoted(run.image)),
            quoted(run.image_id, limit=80),
            quoted(run.config_digest, limit=80),
        )
        for run in report.collectors
    ]
    rows += [
        (
            text("target ", Quoted(image.service), ", ", Quoted(image.image), *_on(image.host)),
            quoted(image.image_id, limit=80),
            text(),
        )
        for image in report.images
    ]
    probe = text("The network was not probed.", tone="quiet")
    if isolation is not None:
        word = "isolated" if isolation.isolated else "NOT ISOLATED"
        tone: Tone = "good" if isolation.isolated else "bad"
        probe = text(
            f"The network was probed from inside: {word} (", Quoted(isolation.detail), ").", tone=tone
        )
    note = "A production run with --rehearsed REPORT.json refuses any other image and configuration."
    return Section(
        "provenance",
        "What ran",
        (
            Paragraph(probe),
            *_placed(report.placement),
            table("Digests", ("What", "Digest", "Configuration"), rows, "", note=note),
        ),
    )


def _on(host: str | None) -> tuple[str | Quoted, ...]:
    return () if host is None else (", on ", Quoted(host))


def _placed(placement: Placement | None) -> tuple[Paragraph, ...]:
    """Return on which hosts it stood, and whether anybody between them could have read along."""
    if placement is None:
        return ()
    plain = "" if placement.encrypted is not False else " Traffic between the hosts was not encrypted."
    return (Paragraph(text("Hosts: ", Quoted(placement.reason, prose=True), f".{plain}", tone="quiet")),)
