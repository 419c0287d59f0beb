"""The session's course, and what exactly ran: digests that a production run can be held to."""

from approval_api.reports.view.blocks import (
    Bar,
    Bars,
    Paragraph,
    Section,
    Segment,
    Told,
    Tone,
    table,
    text,
    told,
)
from approval_api.reports.view.wording import seconds
from dryrun_contract.report import Report


def course(report: Report) -> Section:
    """Return how long each phase took."""
    bars = tuple(
        Bar(
            text(Told(phase.phase.replace("_", " "), prose=True)),
            (Segment(phase.seconds or 0, "quiet", "seconds"),),
            seconds(phase.seconds),
        )
        for phase in report.phases
    )
    chart = Bars("Duration of each phase", bars, in_table=False)
    nothing = Paragraph(text("Nothing has happened yet.", tone="quiet"))
    return Section("course", "Course of the session", (chart if bars else nothing,))


def provenance(report: Report) -> Section:
    """Return what ran, by digest."""
    template, isolation = report.template, report.isolation
    rows = [
        (
            text("template ", Told(template.id), f", seed {template.seed}"),
            told(template.digest, limit=80),
            text(),
        )
    ]
    rows += [
        (
            text("collector ", Told(run.collector), ", ", Told(run.image)),
            told(run.image_id, limit=80),
            told(run.config_digest, limit=80),
        )
        for run in report.collectors
    ]
    rows += [
        (
            text("target ", Told(image.service), ", ", Told(image.image)),
            told(image.image_id, limit=80),
            text(),
        )
        for image in report.images
    ]
    probe = text("The network was not probed.", tone="quiet")
    if isolation is not None:
        word = "isolated" if isolation.isolated else "NOT ISOLATED"
        tone: Tone = "good" if isolation.isolated else "bad"
        probe = text(f"The network was probed from inside: {word} (", Told(isolation.detail), ").", tone=tone)
    note = "A production run with --rehearsed REPORT.json refuses any other image and configuration."
    return Section(
        "provenance",
        "What ran",
        (Paragraph(probe), table("Digests", ("What", "Digest", "Configuration"), rows, "", note=note)),
    )
