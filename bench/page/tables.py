"""Markdown tables of what was measured."""

from collections.abc import Iterable, Sequence

from bench.goals import GOALS, Goal
from bench.intervals import Interval
from bench.results import Measured, PartResult, Ratio, Run, Share

NOTHING = "–"  # noqa: RUF001 - a dash


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; numbers are aligned by who reads it as a page."""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [list(columns), ["---"] * len(columns), *cells])


def number(value: float) -> str:
    """Return three significant digits, and no more than a reader can use."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def summary(part: PartResult) -> str:
    """Return all tables of a part."""
    texts = []
    if part.measured:
        rows = [_measured_row(each) for each in part.measured]
        texts.append(table(["measured", "median", "range", "95 % interval of the median", "times"], rows))
    if part.ratios:
        rows = [_ratio_row(each) for each in part.ratios]
        texts.append(table(["ratio", "of the medians", "95 % interval", "pairs"], rows))
    if part.shares:
        rows = [
            [each.name, f"`{each.by}`", f"{each.found} of {each.of}", f"{each.share:.2f}"]
            for each in part.shares
        ]
        texts.append(table(["found", "by", "", "share"], rows))
    for breakdown in part.breakdowns:
        pieces = [[name, f"{seconds:.2f} s"] for name, seconds in breakdown.pieces]
        texts.append(table([f"{breakdown.name}, made of", "median"], pieces))
    if part.growths:
        rows = [[each.name, _points(each.points), f"{each.slope:.2f}"] for each in part.growths]
        texts.append(table(["growth", "work: cost", "slope"], rows))
    texts += [f"**{each.title}**\n\n{table(each.columns, each.rows)}" for each in part.tables]
    return "\n\n".join(texts)


def _measured_row(each: Measured) -> list[str]:
    spread = f"{number(min(each.values))} to {number(max(each.values))}"
    median, times = f"{number(each.median)} {each.unit}", str(len(each.values))
    return [each.name, median, spread, _between(each.interval), times]


def _ratio_row(each: Ratio) -> list[str]:
    return [each.name, f"{each.interval.value:.2f}", _between(each.interval), str(len(each.pairs))]


def _between(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return NOTHING
    return f"{number(interval.low)} to {number(interval.high)}"


def _points(points: Sequence[tuple[float, float]]) -> str:
    return ", ".join(f"{x:,.0f}: {number(y)}" for x, y in points)


def goal_table(run: Run) -> str:
    """Return what speed is to reach beside what was measured, and what nobody measured."""
    found: dict[str, Measured | Ratio | Share] = {}
    for part in run.parts:
        results: list[Measured | Ratio | Share] = [*part.measured, *part.ratios, *part.shares]
        found |= {each.goal: each for each in results if each.goal is not None}
    rows = [_goal_row(goal, found.get(goal.id)) for goal in GOALS]
    return table(["", "measured", "95 % interval", "goal", "met"], rows)


def _goal_row(goal: Goal, measured: Measured | Ratio | Share | None) -> list[str]:
    unit = f" {goal.unit}" if goal.unit else ""
    sign = "≤" if goal.kind == "at most" else "≥"
    wanted = f"{sign} {goal.bound:g}{unit}"
    if measured is None:
        note = " (`LONG=1` only)" if goal.long_only else ""
        return [goal.row, f"not measured{note}", NOTHING, wanted, NOTHING]
    if isinstance(measured, Share):
        value = f"{measured.share:.2f} ({measured.found} of {measured.of})"
        return [goal.row, value, NOTHING, wanted, "yes" if is_met(goal, measured) else "**no**"]
    times = len(measured.pairs if isinstance(measured, Ratio) else measured.values)
    between = {1: "measured once", 2: "measured twice"}.get(times) or _between(measured.interval)
    value = f"{number(measured.interval.value)}{unit}"
    return [goal.row, value, between, wanted, "yes" if is_met(goal, measured) else "**no**"]


def is_met(goal: Goal, measured: Measured | Ratio | Share) -> bool:
    """Return whether the unfavourable end of what was measured keeps the bound."""
    if isinstance(measured, Share):
        return measured.share >= goal.bound if goal.kind == "at least" else measured.share <= goal.bound
    if goal.kind == "at most":
        return measured.interval.upper <= goal.bound
    low = measured.interval.low
    return (measured.interval.value if low is None else low) >= goal.bound
