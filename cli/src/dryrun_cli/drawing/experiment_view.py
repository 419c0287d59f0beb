"""Draws experiments: figures of each arm, and what each found beside the baseline."""

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dryrun_cli.api.session_ids import short
from dryrun_cli.drawing.glyphs import Glyphs
from dryrun_cli.drawing.listing import listing
from dryrun_cli.drawing.moments import dated, minute
from dryrun_cli.drawing.quantities import duration
from dryrun_cli.drawing.rate_sweep_view import draw_rate_sweeps
from dryrun_cli.drawing.safe_text import folded, inert, shown
from dryrun_contract.experiment import Experiment, ExperimentView
from dryrun_contract.experiment_results import (
    UNMEASURED,
    ArmResult,
    Contrast,
    Difference,
    ExperimentResults,
    Interval,
    RowDifference,
)
from dryrun_contract.side_effects import SIDE_EFFECTS
from dryrun_contract.text import counted

_MOST_LINES = 40
_MOST_FALSE = 20
_SO_FAR = "so far: figures, *, lost, gained and recommended rates may change until all sessions are measured"
_STYLES = {"lost": "red", "gained": "green", "changed": "yellow", "unclear": "dim"}


def draw_experiments(experiments: Iterable[ExperimentView], glyphs: Glyphs) -> RenderableType:
    """Return one row per experiment."""
    table = listing(
        *("ID", "NAME", "STATE", "SESSIONS", "SERVICES", dated("STARTED"), "BY"),
        give_way={"NAME", "SERVICES", "BY"},
    )
    for each in experiments:
        table.add_row(
            Text(short(each.id), style="cyan"),
            folded(each.request.name, 40),
            _state(each, glyphs),
            f"{each.measured} of {each.runs}" + (f", {each.failed} failed" if each.failed else ""),
            _range(each.services),
            minute(each.requested_at),
            folded(each.requested_by, 20),
        )
    if not table.row_count:
        return Text("No experiments yet. To run one: dryrun experiment run FILE")
    return table


def _range(recalls: Sequence[float | None]) -> str:
    """Return the recall of services, from the worst arm to the best."""
    known = [each for each in recalls if each is not None]
    if not known:
        return "-"
    low, high = min(known), max(known)
    return f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"


def draw_experiment(experiment: Experiment, glyphs: Glyphs) -> RenderableType:
    """Return an experiment with everything that is known so far."""
    head = Text(inert(experiment.request.name), style="bold")
    head.append("  ").append_text(_state(experiment, glyphs))
    ended = f"{experiment.measured} of {experiment.runs} sessions measured"
    failed = f", {experiment.failed} failed" if experiment.failed else ""
    parts: list[RenderableType] = [
        head,
        Text(f"{experiment.id}, {ended}{failed}{_comma(time_left(experiment))}", style="dim"),
    ]
    if experiment.results is not None:
        if experiment.state != "done" or not experiment.is_summed_up:
            parts.append(Text(f"{glyphs.warning} {_SO_FAR}"))
        parts += [
            Text(""),
            _figures(experiment.results),
            *draw_rate_sweeps(experiment.results.rate_sweeps, glyphs),
        ]
        parts += _contrasts(experiment.results, glyphs)
        parts += _unstable(experiment.results, glyphs)
    reasons = {run.reason for run in experiment.run_list if run.reason}
    parts += [Text(f"{glyphs.warning} not measured: {inert(each, 300)}") for each in sorted(reasons)[:5]]
    return Group(*parts)


def draw_comparison(results: ExperimentResults, glyphs: Glyphs) -> RenderableType:
    """Return two sessions side by side; one run of each can show what differs, and not why."""
    results = results.with_short_names()
    parts: list[RenderableType] = [_figures(results), *_contrasts(results, glyphs)]
    if any(not each.pairs for each in results.contrasts):
        parts.append(Text(f"{glyphs.warning} They scanned different networks: another template or seed"))
    parts.append(
        Text(
            "One session of each: any difference may be chance. See: dryrun experiment run",
            style="dim",
        )
    )
    return Group(*parts)


def time_left(experiment: ExperimentView) -> str:
    """Return how long it will take, in words; empty when nobody can tell."""
    if experiment.seconds_left is None or experiment.state != "running":
        return ""
    return f"about {duration(experiment.seconds_left)} left"


def _comma(text: str) -> str:
    return f", {text}" if text else ""


def _state(experiment: ExperimentView, glyphs: Glyphs) -> Text:
    if experiment.state == "done":
        sign, style = (glyphs.warning, "yellow") if experiment.failed else (glyphs.done, "green")
    else:
        sign, style = (glyphs.active, "cyan") if experiment.state == "running" else (glyphs.pending, "yellow")
    return Text(f"{sign} {experiment.state}", style=style)


def _figures(results: ExperimentResults) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("RECALL", no_wrap=True)
    clear = results.clear_rows()
    for number, arm in enumerate(results.arms):
        table.add_column(inert(arm.arm) + (" (baseline)" if not number else ""), justify="right")
    for kind, attribute in results.row_names():
        name = (kind if attribute is None else f"  {attribute}").replace("_", " ")
        cells = []
        for arm in results.arms:
            found = next((row for row in arm.rows if (row.kind, row.attribute) == (kind, attribute)), None)
            cell = _interval(found.recall, "{:.2f}") if found else Text("-")
            if (arm.arm, kind, attribute) in clear:
                cell.stylize("bold yellow")
                cell.append(" *")
            cells.append(cell)
        table.add_row(shown(name), *cells)
    table.add_section()
    for name, field, form in (
        ("seconds", "seconds", "{:.1f}"),
        ("packets", "packets", "{:,.0f}"),
        ("failed logins", "failed_logins", "{:.2f}"),
        ("targets harmed", "harmed", "{:.2f}"),
    ):
        table.add_row(Text(name), *(_interval(getattr(arm, field), form) for arm in results.arms))
    for effect in SIDE_EFFECTS:
        if any(effect in arm.side_effects for arm in results.arms):
            cells = [_interval(arm.side_effects.get(effect, UNMEASURED), "{:.2f}") for arm in results.arms]
            table.add_row(Text(effect.replace("_", " ")), *cells)
    if any(arm.judged for arm in results.arms):
        met = (f"{arm.passed} of {arm.judged}" if arm.judged else "-" for arm in results.arms)
        table.add_row(Text("criteria met"), *map(Text, met))
    table.add_row(Text("sessions"), *(Text(_sessions(arm)) for arm in results.arms))
    return table


def _sessions(arm: ArmResult) -> str:
    cut = f", {arm.incomplete} cut short" if arm.incomplete else ""
    return f"{arm.measured} of {arm.planned}{cut}"


def _interval(interval: Interval, form: str) -> Text:
    if interval.value is None:
        return Text("-")
    text = Text(form.format(interval.value))
    if interval.low is not None and interval.high is not None and interval.low != interval.high:
        text.append(f" ({form.format(interval.low)} to {form.format(interval.high)})", style="dim")
    return text


def _contrasts(results: ExperimentResults, glyphs: Glyphs) -> Iterable[RenderableType]:
    alike: dict[str, list[str]] = {}
    for contrast in results.contrasts:
        if not (
            contrast.differences or contrast.false_positives or any(row.is_clear for row in contrast.rows)
        ):
            alike.setdefault(contrast.baseline, []).append(contrast.arm)
            continue
        yield Text("")
        counts = {
            word: sum(each.judgement == word for each in contrast.differences)
            for word in ("lost", "gained", "changed", "unclear")
        }
        words = ", ".join(f"{number} {word}" for word, number in counts.items() if number)
        title = Text(f"{inert(contrast.arm)} beside {inert(contrast.baseline)}: ", style="bold")
        yield title.append(words or "no fact differs", "not bold")
        yield from (Text(f"  * {_row_sentence(row)}") for row in contrast.rows if row.is_clear)
        yield from _lines(contrast, glyphs)
        if counts["unclear"]:
            yield Text(
                f"  {glyphs.dot} unclear: chance may explain it; more repetitions settle it", style="dim"
            )
        yield from _false_positives(contrast, glyphs)
    for baseline, arms in alike.items():
        yield Text("")
        title = Text(f"{', '.join(map(inert, arms))} beside {inert(baseline)}: ", style="bold")
        yield title.append("no difference", "not bold")


def _row_sentence(row: RowDifference) -> str:
    name = inert(row.kind if row.attribute is None else f"{row.kind} {row.attribute}")
    figures = [
        f"{word} {interval.value:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"
        for word, interval in (("recall", row.recall), ("precision", row.precision))
        if interval.value and interval.low is not None and interval.high is not None
    ]
    return f"{name}: {', '.join(figures)}"


def _lines(contrast: Contrast, glyphs: Glyphs) -> Iterable[Text]:
    for each in contrast.differences[:_MOST_LINES]:
        yield Text(f"  {each.judgement:8}", style=_STYLES[each.judgement]).append(
            _sentence(each, contrast), "default"
        )
    more = max(0, len(contrast.differences) - _MOST_LINES) + contrast.left_out
    if more:
        yield Text(f"  {glyphs.dot} {counted(more, 'more difference')}; --json has them", style="dim")


def _false_positives(contrast: Contrast, glyphs: Glyphs) -> Iterable[Text]:
    for each in contrast.false_positives[:_MOST_FALSE]:
        what = f"{each.template} {each.kind} {each.key}"
        before = f"{contrast.baseline} {each.by_baseline} of {each.of_baseline}"
        after = f"{contrast.arm} {each.by_arm} of {each.of_arm}"
        yield Text("  false   ", style="yellow" if each.is_clear else "dim").append(
            inert(f"{what}: {before}, {after}", 500), "default"
        )
    more = max(0, len(contrast.false_positives) - _MOST_FALSE) + contrast.false_positives_left_out
    if more:
        yield Text(f"  {glyphs.dot} {counted(more, 'more false positive')}; --json has them", style="dim")


def _sentence(each: Difference, contrast: Contrast) -> str:
    what = f"{each.template} {each.kind} {each.key}" + (f" {each.attribute}" if each.attribute else "")
    before = f"{contrast.baseline} {each.found_by_baseline} of {each.of_baseline}"
    after = f"{contrast.arm} {each.found_by_arm} of {each.of_arm}"
    values = "; ".join(
        f"{name} reports {_values(reported)}"
        for name, reported in ((contrast.baseline, each.baseline_values), (contrast.arm, each.arm_values))
        if reported
    )
    return inert(f"{what}: {before}, {after}" + (f" ({values})" if values else ""), 500)


def _values(reported: dict[str, int]) -> str:
    return ", ".join(f"{value!r} in {number}" for value, number in reported.items())


def _unstable(results: ExperimentResults, glyphs: Glyphs) -> Sequence[Text]:
    if not results.unstable:
        return ()
    shown_ones = results.unstable[:10]
    lines = [Text(""), Text("Repetitions do not agree on", style="bold")]
    for each in shown_ones:
        what = f"{each.kind} {each.key}" + (f" {each.attribute}" if each.attribute else "")
        network = f"{each.template} seed {each.seed}"
        lines.append(
            Text(f"  {inert(f'{each.arm}, {network}: {what}: found in {each.found} of {each.of}', 300)}")
        )
    more = len(results.unstable) - len(shown_ones)
    return [*lines, *([Text(f"  {glyphs.dot} {more} more; --json has them", style="dim")] if more else [])]
