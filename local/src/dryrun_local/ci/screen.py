"""Prints a verdict for the log of a job."""

from dryrun_contract.text import counted, printable
from dryrun_local.ci.verdict import FactVerdict, Verdict
from dryrun_local.ci.words import changed_images, evidence, fact_name, headline
from dryrun_local.terminal.screen import Screen

_MOST_LINES = 40
_STYLES = {"lost": "red", "gained": "green", "changed": "yellow", "unclear": "dim"}


def show(verdict: Verdict, screen: Screen) -> None:
    """Print what was lost and gained, the criteria, and the verdict last."""
    for arm in verdict.arms:
        screen.say("")
        seconds = "" if arm.seconds is None else f", {arm.seconds:.1f} s each"
        runs = f"{counted(arm.runs, 'run')}{seconds}; the baseline has {arm.runs_before}"
        screen.say(_line(f"{arm.arm}: {runs}"), "bold")
        for line in changed_images(arm):
            screen.say(_line(f"  {line}"), "dim")
        facts = arm.judged("lost", "gained", "changed", "unclear")
        order = tuple(_STYLES)
        for fact in sorted(facts, key=lambda each: order.index(each.judgement))[:_MOST_LINES]:
            screen.say(_line(f"  {fact.judgement:8}{_sentence(fact)}"), _STYLES[fact.judgement])
        if len(facts) > _MOST_LINES:
            screen.say(f"  and {len(facts) - _MOST_LINES} more; --json has them", "dim")
        if too_few := arm.judged("too_few_runs"):
            words = "true in too few runs to distinguish a loss from chance"
            screen.say(f"  {counted(len(too_few), 'fact')} {words}", "dim")
        for each in arm.criteria:
            sign, style = (screen.glyphs.done, "green") if each.passed else (screen.glyphs.bad, "red")
            words = f"{each.criterion}: met in {each.met} of {each.of} runs; {each.example}"
            screen.say(_line(f"  {sign} {words}"), style)
    screen.say("")
    for reason in verdict.reasons[:_MOST_LINES]:
        screen.warn("Not measured:", _line(reason))
    (screen.done if verdict.state == "passed" else screen.warn)(headline(verdict))


def _sentence(fact: FactVerdict) -> str:
    return f"{fact.template}: {fact_name(fact)}: {evidence(fact)}"


def _line(text: str) -> str:
    """Return one inert line; what a runner would read as a command of its old syntax loses its form."""
    return printable(text, limit=600).replace("##[", "#[")
