"""Where the time went until every target was ready, as bars along one line of time."""

from collections.abc import Sequence

from approval_api.reports.view.blocks import MAX_BARS, Bar, Bars, Quoted, Segment, Text, Tone, text
from dryrun_contract.event import BringUpSpan, SpanName

_STEPS: dict[SpanName, str] = {
    "queue": "wait for a place",
    "checks": "check the engine",
    "network": "create the network",
    "probe_start": "start the isolation probe",
    "probe": "prove the isolation",
    "probe_removal": "remove the probe",
}
_REQUEST = "hand over the request"
_OF_TARGETS: dict[SpanName, Tone] = {"create": "warn", "start": "quiet", "health": "good"}
_LEGEND: tuple[tuple[Tone, str], ...] = (
    ("warn", "created"),
    ("quiet", "started, and steps of the session"),
    ("good", "until healthy"),
)
TITLE = "From the request until every target was ready"


def bring_up(spans: Sequence[BringUpSpan], request_seconds: float = 0.0) -> Bars | None:
    """Return the chart; None without a trace.

    `request_seconds`: from the request to the API until the orchestrator had it, which is when spans begin.
    """
    spans = [span.model_copy(update={"begin": request_seconds + span.begin}) for span in spans]
    steps = [
        _bar(text(_STEPS[span.step]), [(span, "quiet")], span.seconds)
        for span in spans
        if span.step in _STEPS
    ]
    if steps and request_seconds:
        request = Segment(request_seconds, "quiet", "request")
        steps.insert(0, Bar(text(_REQUEST), (request,), f"{request_seconds:.2f} s"))
    targets: dict[str, list[tuple[BringUpSpan, Tone]]] = {}
    for span in spans:
        if span.service is not None and span.step in _OF_TARGETS:
            targets.setdefault(span.service, []).append((span, _OF_TARGETS[span.step]))
    bars = [*steps]
    for service, parts in targets.items():
        last = parts[-1][0]
        bars.append(_bar(text(Quoted(service)), parts, last.begin + last.seconds))
    if not bars:
        return None
    hidden = max(len(bars) - MAX_BARS, 0)
    return Bars(TITLE, tuple(bars[:MAX_BARS]), legend=_LEGEND, hidden=hidden, in_table=False)


def _bar(label: Text, parts: Sequence[tuple[BringUpSpan, Tone]], figure: float) -> Bar:
    """Return a bar whose parts begin where their spans do; overlapping ones follow each other."""
    segments: list[Segment] = []
    at = 0.0
    for span, tone in parts:
        if span.begin > at:
            segments.append(Segment(span.begin - at, "gap", ""))
            at = span.begin
        end = max(span.begin + span.seconds, at)
        segments.append(Segment(end - at, tone, span.step))
        at = end
    return Bar(label, tuple(segments), f"{figure:.2f} s")
