"""Draws the retention policy, and what it removed lately."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dryrun_cli.drawing.moments import dated, minute
from dryrun_cli.drawing.safe_text import shown
from dryrun_contract.retention import RetentionView


def draw_retention(view: RetentionView) -> RenderableType:
    """Return how long each thing is kept, then the newest removals."""
    policy = _table("WHAT", "KEPT FOR")
    for name, days in (
        ("dry-runs", view.sessions_days),
        ("their events", view.events_days),
        ("gone discoveries", view.discoveries_days),
        ("the audit log", view.audit_days),
    ):
        policy.add_row(name, "ever" if days is None else "1 day" if days == 1 else f"{days} days")
    removed = _table(dated("REMOVED"), "HOW MANY", "WHAT")
    for each in view.removed:
        number = each.detail.removesuffix(" removed")
        at = minute(each.at)
        removed.add_row(at, shown(number, limit=20), shown(each.object, limit=200))
    if not removed.row_count:
        return Group(policy, Text(""), Text("Nothing was removed by policy yet."))
    return Group(policy, Text(""), removed)


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold" if name == "WHAT" else "ellipsis")
    return table
