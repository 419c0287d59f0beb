"""The report as a few lines for a change ticket: Jira's wiki markup, or plain text for ServiceNow.

Both trackers give meaning to characters: macros, links, mentions, images, `[code]` blocks of HTML. In quoted
text each of them is written as an escape, and no address becomes a link.
"""

import re
from collections.abc import Callable

from approval_api.reports.view.blocks import Quoted, Text
from approval_api.reports.view.decision import criterion_name, headline
from approval_api.reports.view.wording import seconds
from dryrun_contract.report import Report
from dryrun_contract.text import printable

MAX_CRITERIA = 10
"""Failed criteria listed; more are counted."""
MAX_COLLECTORS = 10

# Beside characters of markup: the second stroke of an address, the point of a name that trackers make a link
# of by themselves (evil.example), the colon of `mailto:`, a hyphen that may begin or end struck-out text or
# makes the key of an issue (OPS-1).
_STEERING = re.compile(
    r"""[{}\[\]|!*_~^@<>&`\#?+\\] | (?<=/)/ | (?<=[^\W_])\.(?=[^\W\d_]{2}) | (?i:(?<=mailto):)
        | (?<![^\W_])- | -(?![^\W_]) | (?<=[A-Z])-(?=\d) | (?<=[A-Z]\d)-(?=\d)""",
    re.VERBOSE,
)


def render_jira(report: Report, base_url: str = "") -> str:
    """Return Jira's wiki markup, ending in a line break; its link begins with `base_url`."""
    return _render(report, base_url, lambda title: f"h3. {title}", lambda label: f"*{label}*", "* ")


def render_servicenow(report: Report, base_url: str = "") -> str:
    """Return plain text for ServiceNow's work notes, likewise."""
    return _render(report, base_url, lambda title: f"{title}\n", lambda label: label, "- ")


def _render(
    report: Report, base_url: str, title: Callable[[str], str], strong: Callable[[str], str], item: str
) -> str:
    session, verdict = report.session, report.verdict
    word = "no criteria" if verdict is None else "PASSED" if verdict.passed else "FAILED"
    lines = [title(f"Dry-run of {_inert(report.template.id)}: {word}"), _words(headline(report))]
    if not report.final:
        lines.append("Not final: the session still runs.")
    failed = [each for each in verdict.results if each.status != "passed"] if verdict else []
    lines += [
        f"{item}{_words(criterion_name(each.criterion))}: {_inert(each.detail)}"
        for each in failed[:MAX_CRITERIA]
    ]
    if len(failed) > MAX_CRITERIA:
        lines.append(f"{item}and {len(failed) - MAX_CRITERIA} more")
    lines += [f"{strong(label)}: {value}" for label, value in _figures(report)]
    runs = report.collectors[:MAX_COLLECTORS]
    for run in runs:
        image = run.image_id.removeprefix("sha256:")[:12]
        whole = "" if run.complete and not run.truncated else ", incomplete"
        lines.append(f"{item}{_inert(run.collector)} from image {_inert(image)}{whole}")
    if len(report.collectors) > len(runs):
        lines.append(f"{item}and {len(report.collectors) - len(runs)} more collectors")
    link = f"{base_url.rstrip('/')}/dryrun/sessions/{session.id}/report"
    lines.append(
        f"Session {session.id}, requested by {_inert(session.requested_by)} at "
        f"{session.requested_at:%Y-%m-%d %H:%M} UTC. Report: {link}"
    )
    return "\n".join(lines) + "\n"


def _figures(report: Report) -> list[tuple[str, str]]:
    figures = []
    scores = report.scores
    if scores is None:
        figures.append(("Scores", f"none: {_inert(report.scores_missing or 'unknown')}"))
    else:
        ratios = {"Recall": scores.overall.recall, "Precision": scores.overall.precision}
        shown = (f"{name} {'-' if value is None else f'{value:.2f}'}" for name, value in ratios.items())
        figures.append(("Scores", ", ".join(shown)))
        missed = len(scores.false_negatives)
        false, wrong = len(scores.false_positives), len(scores.wrong_values)
        figures.append(("Differences", f"{missed} missed, {false} false, {wrong} wrong values"))
    harmed = report.harmed_targets()
    names = ", ".join(map(_inert, harmed[:MAX_COLLECTORS]))
    figures.append(("Targets harmed", f"{len(harmed)}{': ' + names if names else ''}"))
    if (scanning := report.scan_seconds()) is not None:
        figures.append(("Scan", seconds(scanning)))
    if report.traffic is not None:
        peak = report.traffic.peak_packets_per_second
        figures.append(
            ("Traffic", f"{report.packets():,} packets to all targets, at most {peak:,.0f}/s to one")
        )
    return figures


def _words(text: Text) -> str:
    return "".join(
        _inert(each.text, each.limit) if isinstance(each, Quoted) else each for each in text.pieces
    )


def _inert(text: object, limit: int = 200) -> str:
    r"""Return `text` as one line that neither tracker reads as markup.

    >>> _inert("a {html} http://b")
    'a \\x7bhtml\\x7d http:/\\x2fb'
    """
    shown = _STEERING.sub(lambda found: f"\\x{ord(found[0]):02x}", printable(str(text), limit=limit))
    return shown.strip() or "-"
