"""The section to decide by: the verdict, each criterion, and the figures that readers look for first."""

from collections.abc import Iterator

from approval_api.reports.view.blocks import (
    Block,
    Paragraph,
    Quoted,
    Section,
    Text,
    Tile,
    Tiles,
    Tone,
    figure,
    table,
    text,
)
from approval_api.reports.view.wording import count, seconds, share, times
from dryrun_contract.event import SideEffect
from dryrun_contract.report import CriterionResult, Report
from dryrun_contract.side_effects import side_effect_totals

_NAMES = {
    "false_positives_max": "False positives",
    "wrong_values_max": "Wrong values",
    "not_evaluable_max": "Not evaluable",
    "targets_harmed_max": "Targets harmed",
    "failed_logins_max": "Failed logins",
    "pages_printed_max": "Pages printed",
    "accounts_locked_max": "Accounts locked",
    "restarts_max": "Devices restarted",
    "credentials_shown_max": "Credentials shown where they should not be",
    "no_side_effects": "No side effects",
    "peak_packets_per_second_max": "Peak packets per second, one target",
    "complete_scan": "Complete scan",
    "scope": "Scope: nothing outside the network",
    "scan_over": "The scan is over",
    "history_complete": "No event was lost",
    "nothing_left_out": "The report has every event",
}
_FIGURES = {"recall": "Recall", "precision": "Precision", "f1": "F1", "coverage": "Coverage"}
_SHARES = tuple(f"{name}_min" for name in _FIGURES)


def criterion_name(criterion: str) -> Text:
    """Return a criterion in words, e.g. `Recall, overall` for `overall.recall_min`."""
    if criterion in _NAMES:
        return text(_NAMES[criterion])
    *place, name = criterion.split(".")
    known = _FIGURES.get(name.removesuffix("_min")) or _NAMES.get(name)
    if known is None or not place:
        return text(Quoted(criterion))
    if place == ["overall"]:
        return text(f"{known}, overall")
    return text(f"{known}, ", Quoted(".".join(place[1:])))


def headline(report: Report) -> Text:
    """Return the verdict as one sentence."""
    verdict = report.verdict
    if verdict is None:
        return text("No criteria were given, so there is no verdict.", tone="quiet")
    failed = [result for result in verdict.results if result.status != "passed"]
    of = f"{len(verdict.results) - len(failed)} of {len(verdict.results)} criteria are met"
    if not verdict.results:
        return text("No criterion was set.", tone="quiet")
    if verdict.passed:
        return text(f"{of}.", tone="good")
    pieces = [f"{of}; not met: "]
    named = [criterion_name(result.criterion) for result in failed]
    joined = [piece for one in named for piece in ("; ", *one.pieces)][1:]
    return Text((*pieces, *joined, "."), "bad")


def decision(report: Report) -> Section:
    """Return the first section."""
    blocks: list[Block] = []
    if report.verdict is not None and report.verdict.results:
        rows = [_row(result) for result in report.verdict.results]
        columns = ("Criterion", "", figure("Required"), figure("Measured"), "Detail")
        name = report.verdict.criteria
        title = "Criteria" if name is None else f"Criteria: {name}"
        blocks.append(table(title, columns, rows, "No criterion was set."))
    blocks.append(Tiles(tuple(_tiles(report))))
    if report.scores is None:
        blocks.append(Paragraph(text(f"There are no scores: {report.scores_missing}.", tone="warn")))
    return Section("decision", "Decision", tuple(blocks))


_STATUS: dict[str, tuple[str, Tone]] = {
    "passed": ("passed", "good"),
    "failed": ("failed", "bad"),
    "not_measured": ("not measured", "warn"),
}


def _row(result: CriterionResult) -> tuple[Text, ...]:
    word, tone = _STATUS[result.status]
    return (
        criterion_name(result.criterion),
        text(word, tone=tone, strong=True),
        text(_limit(result)),
        text(_figure(result.criterion, result.measured)),
        text(Quoted(result.detail, 300, prose=True), tone="quiet"),
    )


def _limit(result: CriterionResult) -> str:
    if isinstance(result.limit, bool):
        return "yes"
    sign = "≥" if result.criterion.endswith("_min") else "≤"
    return f"{sign} {_figure(result.criterion, result.limit)}"


def _figure(criterion: str, value: float | bool | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return share(value) if criterion.endswith(_SHARES) else f"{value:,.0f}"


def _tiles(report: Report) -> list[Tile]:
    tiles = []
    scores = report.scores
    if scores is not None:
        true = len(scores.found) + sum(one.attribute is None for one in scores.false_negatives)
        missed = [one for one in scores.false_negatives if one.attribute is None and one.hard is None]
        tiles = [
            Tile(
                "Recall",
                share(scores.overall_without_hard.recall),
                f"{share(scores.overall.recall)} with hard cases",
                "warn" if missed else "good",
            ),
            Tile(
                "Facts found",
                f"{len(scores.found):,} of {true:,}",
                f"{len(scores.not_evaluable):,} more not evaluable",
            ),
            Tile(
                "False positives",
                f"{len(scores.false_positives):,}",
                f"and {times(len(scores.wrong_values), 'wrong value')}",
                "bad" if scores.false_positives else "warn" if scores.wrong_values else "good",
            ),
        ]
    return [*tiles, *_harm_tiles(report)]


_SIDE_EFFECTS: dict[SideEffect, tuple[str, str]] = {
    "pages_printed": ("Pages printed", "of printers that print whatever they receive"),
    "accounts_locked": ("Accounts locked", "after failed logins"),
    "restarts": ("Devices restarted", "of devices with little room for connections"),
    "credentials_shown": ("Credentials shown", "to hosts that should not have had them"),
}


def _side_effect_tiles(report: Report) -> Iterator[Tile]:
    """Yield what could happen to this session's targets; elsewhere there is nothing to say."""
    for total in side_effect_totals(report.logs):
        title, what = _SIDE_EFFECTS[total.name]
        if total.count is None:
            yield Tile(title, "not measured", what, "quiet")
        else:
            tone: Tone = "bad" if total.count else "good" if total.none else "quiet"
            yield Tile(title, count(total.count, at_least=total.at_least), what, tone)


def _harm_tiles(report: Report) -> list[Tile]:
    harmed = len(report.harmed_targets())
    known = bool(report.collectors)
    tiles = [
        Tile(
            "Targets harmed",
            f"{harmed} of {len(report.images)}" if known else "unknown",
            "died or turned unhealthy" if known else "no collector has run",
            "bad" if harmed else "good" if known else "quiet",
        )
    ]
    failed_logins = report.log_counts("failed_logins")
    tiles.append(
        Tile(
            "Failed logins",
            count(sum(failed_logins), at_least=report.searched_in_part("failed_logins"))
            if failed_logins
            else "not measured",
            f"in the logs of {len(failed_logins)} of {len(report.images)} targets",
            ("warn" if sum(failed_logins) else "good") if failed_logins else "quiet",
        )
    )
    tiles += _side_effect_tiles(report)
    if report.traffic is not None:
        least = any(target.at_least for target in report.traffic.targets.values())
        peak = f"{report.traffic.peak_packets_per_second:,.0f}/s"
        tiles.append(Tile("Peak packets", peak, f"{count(report.packets(), at_least=least)} in all"))
    if (scanning := report.scan_seconds()) is not None:
        tiles.append(Tile("Scan", seconds(scanning), times(len(report.collectors), "collector")))
    return tiles
