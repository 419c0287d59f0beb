"""Writes docs/benchmarks.md and its plots from one run."""

from collections.abc import Callable, Sequence
from pathlib import Path

from bench.intervals import RESAMPLES
from bench.page import plots
from bench.page.tables import goal_table, summary
from bench.results import Machine, PartResult, Run

HEAD = """\
# Benchmarks

Written by `make bench` ([bench/](../bench/README.md)); the numbers are in
[bench/results/latest.json](../bench/results/latest.json). What is compared ran in turn on the same engine
and images, so read the ratios rather than the seconds. Intervals are bootstrapped (95 %, {resamples:,}
resamples; what was measured in turn stays together). A goal is met when the unfavourable end
of the interval meets it; with fewer than three measurements there is none, and the value itself counts.

{machine}. {load}
"""
WHY = "Where a goal is not met, its section says what the time is made of, or what was missed."
_OURS = ("session", "guard", "quick", "full")


def write(run: Run, docs: Path) -> None:
    """Write the page and the plots beside it; plots of an earlier run are removed."""
    folder = docs / "benchmarks"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    (docs / "benchmarks.md").write_text(page(run, folder))


def page(run: Run, folder: Path) -> str:
    """Return the page; draws its plots into `folder`."""
    texts = [_head(run), "## Goals", goal_table(run), WHY, _overview(run, folder)]
    for part in run.parts:
        texts += [f"## {part.title}", part.about, *_plots(part, folder)]
        texts += [_folded(summary(part)), _when(part)]
    texts += [f"## Not measured: {part}\n\n{why}" for part, why in run.failed.items()]
    return "\n\n".join(text for text in texts if text) + "\n"


def _when(part: PartResult) -> str:
    rounds = "; long" if part.long else ""
    load = f"load {part.load[0]:g} before, {part.load[1]:g} after"
    where = "" if part.machine is None else f", on another machine ({_described(part.machine)})"
    return f"{part.made_at}, commit `{part.commit}`, {part.seconds:.0f} s{rounds}{where}; {load}."


def _described(machine: Machine) -> str:
    return (
        f"{machine.processors} processors ({machine.model}), {machine.memory_gib:g} GiB, "
        f"Linux {machine.kernel}, Docker Engine {machine.engine}"
    )


def _head(run: Run) -> str:
    load = f"Load average before the first part: {run.load:g}"
    return HEAD.format(
        resamples=RESAMPLES,
        machine=_described(run.machine),
        load=f"{load}."
        if run.load <= run.machine.processors
        else f"{load}: **other work ran beside it**, so seconds are too long.",
    )


def _overview(run: Run, folder: Path) -> str:
    rows = [each for part in run.parts for each in part.ratios if each.goal is not None]
    return _drawn(plots.ratios, folder / "ratios.svg", rows, "Ratios with their intervals and bounds")


def _plots(part: PartResult, folder: Path) -> list[str]:
    texts = []
    for number, (group, rows) in enumerate(_groups(part).items(), 1):
        name = f"{part.part}-{number}" if len(_groups(part)) > 1 else part.part
        texts.append(_drawn(plots.bars, folder / f"{name}.svg", rows, group))
    texts.append(_drawn(plots.shares, folder / f"{part.part}-found.svg", part.shares, "What was found"))
    texts.append(
        _drawn(plots.stacks, folder / f"{part.part}-made-of.svg", part.breakdowns, "What it is made of")
    )
    texts.append(_drawn(plots.growths, folder / f"{part.part}-growth.svg", part.growths, "How it grows"))
    return texts


def _groups(part: PartResult) -> dict[str, list[plots.Bar]]:
    """Return what was measured by what stands before the colon of its name; a plot each."""
    groups: dict[str, list[plots.Bar]] = {}
    for each in part.measured:
        group, _, who = each.name.rpartition(": ")
        label = (who or each.name).replace("`", "")
        groups.setdefault(group, []).append(plots.Bar(label, each, ours=any(name in who for name in _OURS)))
    return groups


def _drawn[T](
    draw: Callable[[Path, str, Sequence[T]], None], path: Path, rows: Sequence[T], caption: str
) -> str:
    """Draw `rows`, and return how the page shows them; nothing where there are none."""
    if not rows:
        return ""
    draw(path, caption, rows)
    return f"![{caption.replace('`', '')}]({path.parent.name}/{path.name})"


def _folded(tables: str) -> str:
    return f"<details><summary>All measurements</summary>\n\n{tables}\n\n</details>" if tables else ""
