"""Draws a report for a terminal.

From the JSON and not from the server's Markdown: a target's text could contain Markdown too (links, tables,
headings), whereas text in a cell is only text.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic import JsonValue
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dryrun_cli.api.session_ids import short
from dryrun_cli.drawing.forecast_view import draw_forecast
from dryrun_cli.drawing.glyphs import Glyphs, outcome_sign
from dryrun_cli.drawing.harm_view import draw_harm
from dryrun_cli.drawing.indented import indented
from dryrun_cli.drawing.network_forecast_view import draw_network_forecast
from dryrun_cli.drawing.origin import origin
from dryrun_cli.drawing.own_lists import draw_own_lists
from dryrun_cli.drawing.quantities import duration
from dryrun_cli.drawing.safe_text import inert, shown, value_text
from dryrun_contract.event import LogPattern, TargetLogs
from dryrun_contract.kinds import KINDS, title_of
from dryrun_contract.report import Report, Traffic, Verdict
from dryrun_contract.scores import ScoreRow, Scores
from dryrun_contract.text import byte_count, counted

MOST_LISTED: Final = 10


def draw_report(
    report: Report,
    glyphs: Glyphs,
    *,
    with_reason: bool = True,
    with_forecast: bool = False,
    whole: str | None = None,
) -> RenderableType:
    """Return the report: scores, missed facts, false positives, harm to targets, time and traffic.

    `with_reason` is False at the end of watching, where the reason of the outcome is shown just above.
    `whole` says where the whole report is; by default the command that writes it.
    """
    where = whole or f"dryrun report {short(report.session.id)} -o report.html"
    parts: list[RenderableType] = [*_head(report, glyphs, with_reason=with_reason)]
    parts += _scores(report, glyphs, where)
    parts += draw_own_lists(report, glyphs, where)
    parts += draw_harm(report, glyphs)
    parts += _cost(report)
    parts += _collectors(report, glyphs)
    if report.verdict is not None:
        parts += _verdict(report.verdict, glyphs)
    if report.network_forecast is not None:
        parts += draw_network_forecast(report.network_forecast)
    if with_forecast:
        parts += draw_forecast(report.forecast)
    if report.final:
        parts.append(Text(f"Full report: {where}", "dim"))
    return Group(*parts)


def _head(report: Report, glyphs: Glyphs, *, with_reason: bool) -> Iterator[RenderableType]:
    """Yield what the report is about, and what is to be known before its figures."""
    yield _headline(report, glyphs)
    if report.template.stands_for is not None:
        yield indented(f"Stands for {origin(report.template.stands_for)}", "dim")
    if not report.session.scan.is_empty:
        yield indented(f"Chosen for the scan: {inert(report.session.scan.in_words, 1000)}", "dim")
    if with_reason and report.session.reason:
        yield indented(inert(report.session.reason, 2000))
    if not report.final:
        yield indented("The session has not ended; these are its results so far.")
    if not report.history_complete:
        yield indented("Some events of this session were lost; the report may be incomplete.", "yellow")
    if report.isolation is not None and not report.isolation.isolated:
        yield indented(f"Not isolated: {inert(report.isolation.detail)}", "bold red")


def _headline(report: Report, glyphs: Glyphs) -> Text:
    sign, style = outcome_sign(report.session.outcome, glyphs)
    if not report.final:
        sign, style = glyphs.active, "cyan"
    line = (
        Text(f"{sign} ", style=style)
        .append("Report of ", "bold")
        .append(short(report.session.id), "bold cyan")
    )
    line.append(f" {glyphs.dot} template ").append(inert(report.template.id), "bold")
    line.append(f" {glyphs.dot} {inert(report.session.outcome or report.session.phase)}", "bold")
    if report.session.ended_at is not None:
        line.append(
            f" in {duration((report.session.ended_at - report.session.requested_at).total_seconds())}",
            "not bold",
        )
    return line


def _scores(report: Report, glyphs: Glyphs, where: str) -> Iterator[RenderableType]:
    yield Text("")
    if report.scores is None:
        yield _heading("Scores")
        yield indented(f"None: {inert(report.scores_missing or 'the API gives no reason', 1000)}", "yellow")
        return
    yield _score_table(report.scores)
    if others := report.scores.not_looked_for:
        kinds = ", ".join(f"{title_of(kind)} ({number:,})" for kind, number in others.items())
        yield indented(f"Missed because no scored collector looks for it: {inert(kinds, 500)}", "dim")
    yield from _differences(report.scores, glyphs, where)


def _score_table(scores: Scores) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("DISCOVERED", no_wrap=True, overflow="ellipsis", min_width=14)
    for name in ("found", "missed", "false pos.", "not eval.", "precision", "recall", "F1"):
        table.add_column(name, justify="right", no_wrap=True)
    known = {row.kind for row in scores.rows if row.kind in KINDS or row.has_facts}
    for row in (row for row in scores.rows if row.kind in known):
        table.add_row(
            _row_name(row),
            _number(row.true_positives),
            _number(row.false_negatives, "yellow"),
            _number(row.false_positives, "yellow"),
            _number(row.not_evaluable, "dim"),
            *map(_share, (row.precision, row.recall, row.f1)),
        )
    overall = scores.overall
    blank = [Text("")] * 4
    shares = [_share(share, "bold") for share in (overall.precision, overall.recall, overall.f1)]
    table.add_row(Text("overall", style="bold"), *blank, *shares)
    others = len({row.kind for row in scores.rows} - known)
    if others:
        # A hostile collector can invent a kind for each discovery.
        table.add_row(Text(f"{counted(others, 'other kind')}, without ground truth", style="dim"))
    return table


def _row_name(row: ScoreRow) -> Text:
    # An attribute belongs to the kind above it: several kinds have a version.
    name = row.name.replace("_", " ")
    return shown(name) if row.attribute is None else shown(f"  {name}", "dim")


def _differences(scores: Scores, glyphs: Glyphs, where: str) -> Iterator[RenderableType]:
    missed = [
        (item.kind, _at(item.key, item.attribute), _expectation(item.expected), item.hard)
        for item in scores.false_negatives
    ]
    yield from _listing("Missed", glyphs.bad, missed, where)
    yield from _listing(
        "Wrong values",
        glyphs.warning,
        [
            (
                item.kind,
                _at(item.key, item.attribute),
                f"{value_text(item.found)} for {value_text(item.expected)}",
                item.hard,
            )
            for item in scores.wrong_values
        ],
        where,
    )
    false_positives = [
        (item.kind, item.key, f"reported by {', '.join(item.collectors)}" if item.collectors else "", None)
        for item in scores.false_positives
    ]
    yield from _listing("False positives", glyphs.bad, false_positives, where)
    yield from _listing(
        "Not evaluable (credential refused)",
        glyphs.pending,
        [(item.kind, item.key, "", item.hard) for item in scores.not_evaluable],
        where,
    )


def _listing(
    name: str, sign: str, items: Sequence[tuple[str, str, str, str | None]], where: str
) -> Iterator[RenderableType]:
    if not items:
        return
    yield Text("")
    yield _heading(f"{name}: {len(items)}")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    for kind, key, detail, hard in items[:MOST_LISTED]:
        last = Text(inert(detail, 300))
        if hard:
            last.append(f"{' ' if detail else ''}(hard: {inert(hard)})", "dim")
        grid.add_row(Text(f"  {sign}"), shown(kind, "dim", limit=40), Text(inert(key, 300)), last)
    yield grid
    if len(items) > MOST_LISTED:
        yield indented(f"and {len(items) - MOST_LISTED} more; for all: {where}", "dim")


def _cost(report: Report) -> Iterator[RenderableType]:
    times = [
        f"{inert(phase.phase).replace('_', ' ')} {duration(phase.seconds)}"
        for phase in report.phases
        if phase.seconds is not None and phase.phase != "ended"
    ]
    if times:
        yield _fact("Time", ", ".join(times))
    if report.traffic is not None and report.traffic.targets:
        yield _fact("Traffic", _traffic(report.traffic))
    if report.logs:
        yield _fact("Logs", _logs(report.logs))


def _traffic(traffic: Traffic) -> str:
    targets = traffic.targets
    least = "at least " if any(target.at_least for target in targets.values()) else ""
    packets = sum(target.rx_packets for target in targets.values())
    size = sum(target.rx_bytes for target in targets.values())
    most = max(targets, key=lambda name: targets[name].rx_packets)
    return (
        f"targets received {least}{packets:,} packets, {byte_count(size)}; "
        f"most: {inert(most)} with {targets[most].rx_packets:,}; "
        f"peak {traffic.peak_packets_per_second:,.0f} packets/s on one target"
    )


def _logs(logs: Mapping[str, TargetLogs]) -> str:
    least = "at least " if any(target.truncated or target.note for target in logs.values()) else ""
    lines = sum(target.lines for target in logs.values())
    parts = [f"the scan left {least}{counted(lines, 'line')} in the logs of {counted(len(logs), 'target')}"]
    names: tuple[LogPattern, ...] = ("errors", "failed_logins")
    for name in names:
        counts = [target.counts.get(name) for target in logs.values()]
        known = [count for count in counts if count is not None]
        figure = f"{sum(known)}" if known else "not measured"
        parts.append(f"{name.replace('_', ' ')}: {figure}")
    return "; ".join(parts)


def _collectors(report: Report, glyphs: Glyphs) -> Iterator[RenderableType]:
    for run in report.collectors:
        took = f" in {duration(run.seconds)}" if run.seconds is not None else ""
        warnings = f", {counted(run.warnings, 'warning')}" if run.warnings else ""
        aside = ", for comparison" if run.purpose == "comparison" else ""
        figures = f"{counted(run.discoveries, 'discovery', 'discoveries')}{took}{warnings}"
        yield _fact("Collector", f"{inert(run.collector)}{aside}: {figures}")
        if run.truncated or not run.complete:
            why = run.reason or ("its output was cut at the ceiling" if run.truncated else "no end line")
            yield indented(f"{glyphs.warning} incomplete: {inert(why, 500)}", "yellow")


def _verdict(verdict: Verdict, glyphs: Glyphs) -> Iterator[RenderableType]:
    yield Text("")
    passed = [result for result in verdict.results if result.status == "passed"]
    count, met = len(verdict.results), len(passed)
    by = "" if verdict.criteria is None else f" ({inert(verdict.criteria, 40)})"
    if verdict.passed:
        yield Text(f"{glyphs.done} Criteria met: {met} of {count}{by}", style="bold green")
    else:
        yield Text(f"{glyphs.bad} Criteria not met: {count - met} of {count}{by}", style="bold red")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    for result in verdict.results:
        good = result.status == "passed"
        detail = (
            inert(result.detail, 500) or f"{value_text(result.measured)}, limit {value_text(result.limit)}"
        )
        sign = Text(f"  {glyphs.done if good else glyphs.bad}", style="green" if good else "red")
        grid.add_row(sign, Text(inert(result.criterion)), Text(detail, style="dim" if good else ""))
    yield grid


def _at(key: str, attribute: str | None) -> str:
    return f"{key} {attribute}" if attribute else key


def _expectation(value: JsonValue) -> str:
    return "" if value is None else f"expected {value_text(value)}"


def _number(number: int, style: str = "") -> Text:
    return Text(str(number), style=style if number else "dim")


def _share(share: float | None, style: str = "") -> Text:
    return Text("n/a", style="dim") if share is None else Text(f"{share:.2f}", style=style)


def _heading(text: str) -> Text:
    return Text(text, style="bold")


def _fact(name: str, value: str) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=9, no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    grid.add_row(name, Text(value))
    return grid
