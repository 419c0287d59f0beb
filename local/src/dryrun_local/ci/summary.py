"""Writes a verdict as Markdown, for the page of a pipeline's job, and as GitHub's annotations."""

from collections.abc import Iterator, Sequence

from approval_api.reports.inert import inert
from dryrun_contract.text import counted, printable
from dryrun_local.ci.verdict import ArmVerdict, FactVerdict, Verdict
from dryrun_local.ci.words import changed_images, evidence, fact_name, headline

_MOST_ROWS = 100
"""Rows of one table; GitHub shows summaries of up to 1 MiB, and JUnit and JSON have everything."""
_MOST_ANNOTATIONS = 9
"""GitHub shows ten of a kind for one step."""
_SIGNS = {"passed": "✅", "regressed": "❌", "not_measured": "⚠️"}


def summary(verdict: Verdict) -> str:
    """Return the Markdown; what scanners reported stands in code spans that nothing inside can leave."""
    return "\n".join(_lines(verdict)) + "\n"


def _lines(verdict: Verdict) -> Iterator[str]:
    yield f"## {_SIGNS[verdict.state]} {headline(verdict)}"
    yield ""
    sessions = f"{verdict.measured} of {verdict.sessions} sessions measured"
    yield f"Experiment {inert(verdict.experiment)}: {sessions}."
    for reason in verdict.reasons[:20]:
        yield f"- not measured: {inert(reason, limit=500)}"
    for arm in verdict.arms:
        yield from _arm(arm)


def _arm(arm: ArmVerdict) -> Iterator[str]:
    seconds = "" if arm.seconds is None else f", {arm.seconds:.1f} s each"
    yield ""
    yield f"### {inert(arm.arm)}"
    yield ""
    yield f"{counted(arm.runs, 'run')}{seconds}; the baseline has {arm.runs_before}."
    for line in changed_images(arm):
        yield f"- {inert(line, limit=300)}"
    for title, facts in (
        ("Lost", arm.judged("lost")),
        ("Gained", arm.judged("gained")),
        ("Reported with another value", arm.judged("changed")),
        ("Unclear: chance may explain it", arm.judged("unclear")),
    ):
        yield from _table(title, facts)
    if too_few := arm.judged("too_few_runs"):
        yield ""
        yield (
            f"{counted(len(too_few), 'fact')} of {len(arm.facts)} are true in too few runs to distinguish "
            "a loss from chance."
        )
    if arm.criteria:
        yield from ("", "| criterion | met in | |", "|---|---|---|")
        for each in arm.criteria:
            sign = "✅" if each.passed else "❌"
            yield f"| {sign} {inert(each.criterion)} | {each.met} of {each.of} | {inert(each.example)} |"


def _table(title: str, facts: Sequence[FactVerdict]) -> Iterator[str]:
    if not facts:
        return
    yield from ("", f"**{title}** ({len(facts)})", "", "| network | fact | evidence |", "|---|---|---|")
    for fact in facts[:_MOST_ROWS]:
        words = inert(evidence(fact), limit=600)
        yield f"| {inert(fact.template)} | {inert(fact_name(fact), limit=300)} | {words} |"
    if len(facts) > _MOST_ROWS:
        yield f"| | and {len(facts) - _MOST_ROWS} more | |"


def annotations(verdict: Verdict) -> list[str]:
    """Return lines that GitHub shows beside the job: each lost fact, and each criterion that is not met."""
    found = [
        (f"{fact_name(fact)} ({arm.arm})", f"lost on {fact.template}: {evidence(fact)}")
        for arm in verdict.arms
        for fact in arm.judged("lost")
    ]
    found += [
        (f"criterion {each.criterion} ({arm.arm})", f"met in {each.met} of {each.of} runs: {each.example}")
        for arm in verdict.arms
        for each in arm.criteria
        if not each.passed
    ]
    found += [("Could not be measured", reason) for reason in verdict.reasons]
    lines = [
        f"::error title={_property(title)}::{_data(words)}" for title, words in found[:_MOST_ANNOTATIONS]
    ]
    if len(found) > _MOST_ANNOTATIONS:
        lines.append(f"::error title=And {len(found) - _MOST_ANNOTATIONS} more::The job's summary has all")
    return lines


def _data(text: str) -> str:
    """Return the text of a workflow command; GitHub reads `%25`, `%0D` and `%0A` back."""
    return printable(text, limit=1000).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
