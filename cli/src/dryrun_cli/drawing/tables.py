"""Draws templates and sessions as tables."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dryrun_cli.api.reading import ListedFigures, ListedSession
from dryrun_cli.api.session_ids import short
from dryrun_cli.drawing.glyphs import Glyphs, outcome_sign
from dryrun_cli.drawing.indented import indented
from dryrun_cli.drawing.listing import listing
from dryrun_cli.drawing.moments import dated, minute, when
from dryrun_cli.drawing.origin import origin
from dryrun_cli.drawing.quantities import duration
from dryrun_cli.drawing.safe_text import folded, inert, shown
from dryrun_contract.pool import ANY_TEMPLATE, Pool
from dryrun_contract.session import Outcome, Phase, SessionView
from dryrun_contract.template import TemplateSummary
from dryrun_contract.text import counted

REASON_WIDTH: Final = 110
STARTED_WIDTH: Final = 80


def draw_templates(templates: Iterable[TemplateSummary]) -> RenderableType:
    """Return each template with its targets and collectors."""
    parts: list[RenderableType] = []
    for template in templates:
        title = Text(inert(template.id), style="bold cyan").append(f"  {inert(template.title)}", "not cyan")
        parts += [Text(""), title] if parts else [title]
        if template.description:
            parts.append(indented(Text(inert(template.description, 2000))))
        if template.stands_for is not None:
            known = Text("stands for: ", style="dim").append(origin(template.stands_for), "not dim")
            parts.append(indented(known))
        targets = ", ".join(service.name for service in template.services)
        for name, value in (
            (counted(len(template.services), "target"), targets),
            ("collectors", ", ".join(template.collectors)),
        ):
            line = Text(f"{name}: ", style="dim").append(inert(value, 4000), "not dim")
            parts.append(indented(line))
    return (
        Group(*parts)
        if parts
        else Text("No template is installed; the operator of the orchestrator installs them.")
    )


def draw_sessions(
    sessions: Iterable[ListedSession], glyphs: Glyphs, width: int, now: datetime
) -> RenderableType:
    """Return one row per session; with when and who started it and why it ended if `width` allows."""
    started = [dated("STARTED")] if width >= STARTED_WIDTH else []
    names = ["ID", "TEMPLATE", "STATE", "RECALL", "VERDICT", *started, "TOOK"]
    if width >= REASON_WIDTH:
        names += ["BY", "REASON"]
    table = listing(*names, give_way={"TEMPLATE", "BY", "REASON"}, numbers={"RECALL", "TOOK"})
    for session in sessions:
        took = (session.ended_at or now) - session.requested_at
        cells = [
            Text(short(session.id), style="cyan"),
            folded(_template(session)),
            _listed_state(session, glyphs),
            _recall(session.figures),
            _verdict(session.figures),
            *(shown(minute(session.requested_at)) for _ in started),
            shown(duration(took.total_seconds())),
        ]
        if width >= REASON_WIDTH:
            cells += [folded(session.requested_by), folded(session.reason or "")]
        table.add_row(*cells)
    if not table.row_count:
        return Text("No sessions yet. To start one: dryrun start small --watch")
    return table


def draw_pool(pool: Pool, glyphs: Glyphs, now: datetime) -> RenderableType:
    """Return a row for each template and seed that is kept prepared on a host; below, why some are not."""
    if not pool.lines:
        return Text("Nothing is kept prepared; the operator of the orchestrator sets ORCHESTRATOR_POOL.")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("TEMPLATE", "READY", "PREPARING", "DEADLINE"):
        justify: Literal["left", "right"] = "right" if name == "PREPARING" else "left"
        table.add_column(name, no_wrap=True, overflow="ellipsis", justify=justify)
    notes: list[RenderableType] = []
    for line in pool.lines:
        name = _seeded(line.template, line.seed)
        name = "any template: network" if line.template == ANY_TEMPLATE else name
        name += f" on {line.host}" if line.host else ""
        is_full = len(line.ready) >= line.wanted
        sign, style = (glyphs.done, "green") if is_full else (glyphs.active, "yellow")
        first = line.ready[0].expires_at if line.ready else None
        table.add_row(
            shown(name, limit=90),
            Text(f"{sign} {len(line.ready)} of {line.wanted}", style=style),
            str(line.preparing or "-"),
            Text(f"{when(first)}, in {duration((first - now).total_seconds())}" if first else "-"),
        )
        if line.note:
            notes.append(Text(f"{inert(name)}: ", style="dim").append(inert(line.note, 500), "not dim"))
    return Group(table, Text(""), *notes) if notes else table


def draw_session(session: ListedSession, glyphs: Glyphs, now: datetime) -> RenderableType:
    """Return one session in detail."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("session", Text(str(session.id), style="cyan"))
    grid.add_row("state", state_text(session, glyphs))
    if session.queue_position is not None:
        grid.add_row("queue", Text(f"number {session.queue_position}; it starts automatically"))
    if session.reason:
        grid.add_row("reason", Text(inert(session.reason, 2000)))
    if session.unread:
        grid.add_row("unread", Text(inert(session.unread, 1000)))
    grid.add_row("template", Text(inert(_template(session))))
    grid.add_row("digest", Text(inert(session.template_digest)))
    if not session.scan.is_empty:
        grid.add_row("scan", Text(inert(session.scan.in_words, 1000)))
    grid.add_row("started", Text(f"{when(session.requested_at)} by {inert(session.requested_by)}"))
    if session.prepared_at is not None:
        grid.add_row("prepared", Text(f"{when(session.prepared_at)}, ahead; its deadline counts from then"))
    took = (session.ended_at or now) - session.requested_at
    if session.ended_at is not None:
        grid.add_row("ended", Text(f"{when(session.ended_at)}, after {duration(took.total_seconds())}"))
    elif session.expires_at is not None:
        left = (session.expires_at - now).total_seconds()
        if left > 0:
            removed = f"by {when(session.expires_at)} at the latest, in {duration(left)}"
        else:
            removed = f"not yet: its deadline passed at {when(session.expires_at)}, {duration(-left)} ago"
        grid.add_row("removed", Text(removed))
    grid.add_row("verdict", _verdict_by(session))
    name = short(session.id)
    following = f"dryrun report {name}" if session.phase == Phase.ENDED else f"dryrun watch {name}"
    grid.add_row("next", Text(following))
    return grid


def state_text(session: SessionView, glyphs: Glyphs) -> Text:
    """Return the phase or, once the session has ended, the outcome, with its sign."""
    if session.phase != Phase.ENDED:
        return Text(f"{glyphs.active} {inert(session.phase).replace('_', ' ')}", style="cyan")
    sign, style = outcome_sign(session.outcome, glyphs)
    return Text(f"{sign} {session.outcome or 'ended'}", style=style)


def _listed_state(session: ListedSession, glyphs: Glyphs) -> Text:
    if session.unread:
        return state_text(session, glyphs).append(", of another version", "yellow")
    if session.outcome == Outcome.COMPLETED and session.figures is not None and session.figures.cut:
        return Text(f"{glyphs.warning} scan cut", style="yellow")
    if session.queue_position is not None:
        return Text(f"{glyphs.active} number {session.queue_position} in queue", style="cyan")
    return state_text(session, glyphs)


def _recall(figures: ListedFigures | None) -> Text:
    if figures is None or figures.recall is None:
        return Text("-", style="dim")
    return Text(f"{figures.recall:.2f}")


def _verdict(figures: ListedFigures | None) -> Text:
    if figures is None or figures.passed is None:
        return Text("-", style="dim")
    return Text("passed", style="green") if figures.passed else Text("failed", style="red")


def _verdict_by(session: ListedSession) -> Text:
    criteria = inert(session.criteria, 40)
    if session.figures is not None and session.figures.passed is not None:
        return _verdict(session.figures).append(f" by {criteria}", "dim")
    none = "none" if session.phase == Phase.ENDED else "none yet: it is judged once it has ended"
    if session.phase == Phase.KEPT:
        none += f", at its deadline at the latest; for now: dryrun report {short(session.id)} --judged"
    return Text(f"{none}; criteria: {criteria}", style="dim")


def _seeded(template: str, seed: int) -> str:
    return f"{template} seed {seed}" if seed else template


def _template(session: SessionView) -> str:
    return _seeded(session.template, session.seed) + (" (keep)" if session.keep else "")
