"""Draws what a scan did to its targets: those that died, and what happened to those that survived it."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from dryrun_cli.drawing.glyphs import Glyphs
from dryrun_cli.drawing.indented import indented
from dryrun_cli.drawing.narration import HARM_WORDS
from dryrun_cli.drawing.safe_text import inert
from dryrun_contract.report import Report
from dryrun_contract.side_effects import SideEffectTotal, side_effect_totals


def draw_harm(report: Report, glyphs: Glyphs) -> Iterator[RenderableType]:
    """Yield harmed targets, and one line of side effects where a target can suffer any."""
    yield Text("")
    yield from _dead(report, glyphs)
    totals = side_effect_totals(report.logs)
    if totals:
        bad = any(total.count for total in totals)
        line = Text(f"{glyphs.bad if bad else glyphs.dot} ", style="red" if bad else "dim")
        yield line.append(f"Side effects: {'; '.join(map(_words, totals))}", "red" if bad else "default")


def _dead(report: Report, glyphs: Glyphs) -> Iterator[RenderableType]:
    if not report.harmed:
        if report.scores is not None:
            yield Text(f"{glyphs.done} ", style="green").append("No target was harmed.", "default")
        return
    yield Text(f"Harmed targets: {len(report.harmed)}", style="bold red")
    for harm in report.harmed:
        during = f" while {inert(' and '.join(harm.during))} ran" if harm.during else ""
        word = HARM_WORDS.get(harm.harm, harm.harm)
        line = f"{glyphs.bad} {inert(harm.service)} {inert(word)}{during}: {inert(harm.detail, 500)}"
        yield indented(line, "red")


def _words(total: SideEffectTotal) -> str:
    least = "at least " if total.at_least else ""
    figure = "not measured" if total.count is None else f"{least}{total.count:,}"
    return f"{total.name.replace('_', ' ')}: {figure}"
