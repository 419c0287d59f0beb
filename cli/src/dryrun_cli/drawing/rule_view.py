"""Draws approval rules, and what one would approve."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.text import Text

from dryrun_cli.drawing.listing import listing
from dryrun_cli.drawing.safe_text import folded, inert, shown
from dryrun_contract.production import RulePreview, RuleView


def draw_rules(rules: Iterable[RuleView]) -> RenderableType:
    """Return one row per rule."""
    table = listing(
        *("NAME", "STATE", "KINDS", "SUBNETS", "APPROVED", "MADE BY", "OFF BECAUSE"),
        give_way={"KINDS", "SUBNETS", "MADE BY", "OFF BECAUSE"},
        numbers={"APPROVED"},
    )
    for each in rules:
        more = f" and {len(each.request.subnets) - 2} more" if len(each.request.subnets) > 2 else ""
        table.add_row(
            shown(each.request.name, limit=40),
            Text("on", style="green") if each.on_since else Text("off", style="dim"),
            folded(", ".join(each.request.kinds), 60),
            folded(", ".join(each.request.subnets[:2]) + more, 60),
            str(each.approved),
            folded(each.made_by, 30),
            folded(each.off_because or "-", 60),
        )
    return table if table.row_count else Text("No rules: every discovery waits for a person.")


def draw_preview(rule: RuleView, preview: RulePreview) -> RenderableType:
    """Return what a rule would approve of the queue, and how to switch it on."""
    most = rule.request.most_a_day
    count = f"more than {most}" if preview.matching > most else str(preview.matching)
    head = Text(f"{inert(rule.request.name)} would approve {count} of {preview.queue} open discoveries.")
    table = listing(
        *("ID", "CHANGE", "KIND", "KEY", "COLLECTOR", "CONFIDENCE"),
        give_way={"KEY"},
        numbers={"CONFIDENCE"},
    )
    for each in preview.examples:
        table.add_row(
            str(each.id),
            shown(each.change, limit=20),
            shown(each.kind, limit=40),
            folded(each.key, 80),
            shown(each.collector, limit=40),
            f"{each.confidence:.2f}",
        )
    parts: list[RenderableType] = [head]
    if table.row_count:
        parts += [Text(""), table]
    if preview.queue and preview.remaining:
        parts.append(Text(f"Left after each condition: {preview.narrowing}."))
    if preview.matching > most:
        parts.append(Text("That is more than it may approve in a day; make it narrower.", style="yellow"))
    elif rule.on_since is None:
        on = f"dryrun rule on {inert(rule.request.name)} --preview {preview.digest}"
        # A person's token would expire before the rule, and is refused.
        where = "the page Approval rules, or with a program's token"
        parts += [Text(""), Text(f"To switch it on: {where}: {on}", overflow="fold")]
    return Group(*parts)
