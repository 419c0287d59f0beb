"""What the scan did to its targets, and what it left in their logs."""

from collections.abc import Iterator

from approval_api.reports.view.blocks import (
    Bar,
    Bars,
    Block,
    Column,
    Paragraph,
    Section,
    Segment,
    Text,
    figure,
    quoted,
    table,
    text,
)
from approval_api.reports.view.wording import count, names, seconds, size
from dryrun_contract.event import LogPattern, TargetLogs, TargetTraffic
from dryrun_contract.log_patterns import LOG_PATTERNS, SIDE_EFFECTS
from dryrun_contract.report import Harm, Report
from dryrun_contract.side_effects import SIDE_EFFECTS as SIDE_EFFECT_NAMES

_EXAMPLES = 3
_HARM = {"died": "died", "out_of_memory": "died, out of memory", "unhealthy": "turned unhealthy"}
_PATTERNS: tuple[LogPattern, ...] = ("errors", "connections", "failed_logins", "slow_queries")
_TITLES = {name: name.replace("_", " ").capitalize() for name in LOG_PATTERNS}


def targets(report: Report) -> Section:
    """Return what happened to the targets, with their traffic."""
    blocks: list[Block] = [*_harm(report), *_side_effects(report), _impact(report)]
    if report.traffic is not None:
        blocks.append(_chart(report))
        if report.traffic.by_collectors:
            blocks.append(_by_collectors(report))
    return Section("targets", "What the scan did to its targets", tuple(blocks))


def _harm(report: Report) -> Iterator[Block]:
    if not report.collectors:
        yield Paragraph(text("Unknown: no collector has run.", tone="quiet"))
    elif not report.harmed:
        yield Paragraph(text("No target died or turned unhealthy while collectors ran.", tone="good"))
    else:
        rows = [
            (
                quoted(harm.service),
                text(_HARM.get(harm.harm, ""), tone="bad") if harm.harm in _HARM else quoted(harm.harm),
                names(harm.during, "no collector"),
                quoted(harm.detail, limit=300),
            )
            for harm in report.harmed
        ]
        yield table(
            "Harmed targets", ("Target", "What happened", "While it ran", "Detail"), rows, "", counted=True
        )


def _side_effects(report: Report) -> Iterator[Block]:
    """Yield what happened to targets that survived it: by target, and by whom."""
    able = [(service, logs) for service, logs in sorted((report.logs or {}).items()) if logs.side_effects]
    if not able:
        return
    rows = []
    for service, logs in able:
        for name in SIDE_EFFECT_NAMES:
            if name not in logs.side_effects:
                continue
            number = logs.side_effects[name]
            who = [part for part in logs.by_collectors if part.collectors and part.side_effects.get(name)]
            least = logs.is_partial
            cell = (
                text("not measured", tone="quiet")
                if number is None
                else text(count(number, at_least=least), tone="bad" if number else "", strong=bool(number))
            )
            culprits = sorted({collector for part in who for collector in part.collectors})
            rows.append(
                (quoted(service), text(_capital(SIDE_EFFECTS[name])), cell, names(tuple(culprits), "-"))
            )
    note = (
        "Counted in the target's own log. The target survives it; in production somebody has to clear it up."
    )
    yield table("Side effects", ("Target", "What", figure("Times"), "By"), rows, "", note=note)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _impact(report: Report) -> Block:
    traffic = report.traffic.targets if report.traffic else {}
    logs = report.logs or {}
    harmed = {harm.service: harm for harm in report.harmed}
    services = sorted({image.service for image in report.images} | traffic.keys() | logs.keys())
    rows = [
        (
            quoted(service),
            _state(harmed.get(service), known=bool(report.collectors)),
            *_received(traffic.get(service)),
            *_counts(logs.get(service)),
            quoted(log.note, limit=300, prose=True) if (log := logs.get(service)) and log.note else text(),
        )
        for service in services
    ]
    columns: tuple[str | Column, ...] = (
        "Target",
        "State",
        figure("Packets in"),
        figure("Bytes in"),
        figure("Packets out"),
        *(figure(_TITLES[name]) for name in _PATTERNS),
        figure("Log lines"),
        "Note",
    )
    note = (
        "Packets and bytes are sampled from the engine's counters. Errors, connections, failed logins and "
        "slow queries are counted in the target's log; a dash means not measured: its image has no pattern "
        "for it, or the log was not read."
    )
    return table("Target by target", columns, rows, "There was no target.", note=note)


def _state(harm: Harm | None, *, known: bool) -> Text:
    if harm is None:
        return text("unharmed", tone="good") if known else text("unknown", tone="quiet")
    return text(_HARM[harm.harm], tone="bad", strong=True) if harm.harm in _HARM else quoted(harm.harm)


def _received(traffic: TargetTraffic | None) -> tuple[Text, ...]:
    if traffic is None:
        return (text("-"), text("-"), text("-"))
    least = traffic.at_least
    return (
        text(count(traffic.rx_packets, at_least=least)),
        text(size(traffic.rx_bytes, at_least=least)),
        text(count(traffic.tx_packets, at_least=least)),
    )


def _counts(logs: TargetLogs | None) -> tuple[Text, ...]:
    if logs is None:
        return tuple(text("-") for _ in (*_PATTERNS, "lines"))
    shown = []
    for name in _PATTERNS:
        number = logs.counts.get(name)
        bad = name in ("errors", "failed_logins") and number
        least = logs.truncated
        shown.append(
            text("-") if number is None else text(count(number, at_least=least), tone="warn" if bad else "")
        )
    return (*shown, text(count(logs.lines, at_least=logs.truncated)))


def _chart(report: Report) -> Bars:
    assert report.traffic is not None
    found = sorted(report.traffic.targets.items(), key=lambda item: (-item[1].rx_packets, item[0]))
    return Bars(
        "Packets that each target received",
        tuple(
            Bar(
                quoted(service),
                (Segment(target.rx_packets, "quiet", "packets"),),
                count(target.rx_packets, at_least=target.at_least),
            )
            for service, target in found
        ),
    )


def _by_collectors(report: Report) -> Block:
    assert report.traffic is not None
    rows = [
        (
            names(part.collectors, "no collector, between two runs"),
            text(seconds(part.seconds)),
            text(count(part.rx_packets)),
            text(size(part.rx_bytes)),
            text(count(part.tx_packets)),
        )
        for part in report.traffic.by_collectors
        # One run ends and the next begins between two samples, without traffic in between.
        if part.rx_packets or len(part.collectors) == 1
    ]
    columns = ("While these ran", figure("Time"), figure("Packets"), figure("Bytes"), figure("Answers"))
    note = f"Measured by samples every {report.traffic.sampling_seconds:g} s."
    return table("Traffic by collector", columns, rows, "", note=note)


def logs(report: Report) -> Section:
    """Return what a SIEM that reads these logs will see of a scan."""
    title = "What a SIEM will see"
    if report.logs is None:
        return Section("logs", title, (Paragraph(text("The targets' logs were not read.", tone="quiet")),))
    rows, examples = [], []
    for service, target in sorted(report.logs.items()):
        for part in target.by_collectors:
            if not part.collectors:
                continue
            least = target.truncated
            cells = [
                text("-")
                if target.counts.get(name) is None
                else text(count(part.counts.get(name, 0), at_least=least))
                for name in _PATTERNS
            ]
            who = names(part.collectors)
            rows.append((quoted(service), who, text(count(part.lines, at_least=least)), *cells))
            examples += [(quoted(service), who, quoted(line, limit=320)) for line in part.sample[:_EXAMPLES]]
    columns: tuple[str | Column, ...] = (
        "Target",
        "Collector",
        figure("Lines"),
        *(figure(_TITLES[name]) for name in _PATTERNS),
    )
    note = (
        "A line belongs to the collector that ran when it was written, or whose address it names; where "
        "several are named, the line does not show which."
    )
    return Section(
        "logs",
        title,
        (
            table(
                "Log lines that each collector left",
                columns,
                rows,
                "The scan left no line in any log.",
                note=note,
            ),
            table(
                "Examples",
                ("Target", "Collector", "Line"),
                examples,
                "",
                note="Of similar lines one is shown; the JSON report has more.",
            ),
        )
        if rows
        else (Paragraph(text("The scan left no line in any log that was read.", tone="good")),),
    )
