"""Draws a watched session for a terminal; no meaning depends on colour alone."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dryrun_cli.drawing.glyphs import UNICODE, outcome_sign
from dryrun_cli.drawing.moments import clock_time
from dryrun_cli.drawing.narration import HARM_WORDS, notice_text, place, summary_of
from dryrun_cli.drawing.quantities import duration
from dryrun_cli.drawing.safe_text import inert, shown
from dryrun_cli.live.frame import Frame
from dryrun_cli.live.watched_session import WatchedSession
from dryrun_contract.kinds import titles_of
from dryrun_contract.session import Phase
from dryrun_contract.session_history import Notice, PhaseSpan, Run, Target
from dryrun_contract.text import counted

PIPELINE: Final = (
    Phase.QUEUED,
    Phase.PROVISIONING,
    Phase.WAITING,
    Phase.SCANNING,
    Phase.KEPT,
    Phase.CLEANING_UP,
    Phase.ENDED,
)
_TARGET_STYLES: Final = {
    "healthy": "green",
    "running": "cyan",
    "starting": "cyan",
    "created": "dim",
    "unhealthy": "bold red",
    "died": "bold red",
    "stopped": "dim",
    "removed": "dim",
}
_NOTICE_STYLES: Final = {"note": "", "warning": "yellow", "harm": "bold red", "failure": "bold red"}
_BAR_WIDTH: Final = 20
_MOST_NOTICES: Final = 4
_FIXED_LINES: Final = 14
"""Lines of every frame: title, pipeline, headings, gaps, footer."""


def draw(state: WatchedSession, frame: Frame) -> RenderableType:
    """Return the whole view, at most `frame.height` lines high if possible."""
    parts: list[RenderableType] = [_title(state, frame), Text(""), _pipeline(state, frame)]
    if state.targets:
        parts += [Text(""), *_targets(state, frame)]
    if state.runs:
        parts += [Text(""), *_collectors(state, frame)]
    if state.counts:
        parts += [Text(""), *_discoveries(state, frame)]
    if state.notices:
        parts += [Text(""), *_notices(state, frame)]
    parts += [Text(""), *_footer(state, frame)]
    return Group(*parts)


def _title(state: WatchedSession, frame: Frame) -> RenderableType:
    title = Text(no_wrap=True, overflow="ellipsis")
    title.append("Dry-run ", "bold").append(inert(frame.short_id), "bold cyan")
    if state.started:
        title.append(f" {frame.glyphs.dot} template ").append(inert(state.started.template, 40), "bold")
        if state.started.seed:
            title.append(f" {frame.glyphs.dot} seed {state.started.seed}")
        title.append(f" {frame.glyphs.dot} by {inert(state.started.actor, 30)}")
        if not state.started.scan.is_empty:
            title.append(f" {frame.glyphs.dot} {inert(state.started.scan.in_words)}")
    elapsed = Text(_elapsed(state, frame), style="bold")
    return _edges(title, elapsed)


def _elapsed(state: WatchedSession, frame: Frame) -> str:
    if not state.phases:
        return ""
    end = state.phases[-1].ended_at or frame.now
    return duration((end - state.phases[0].started_at).total_seconds())


def _pipeline(state: WatchedSession, frame: Frame) -> RenderableType:
    spans: dict[Phase, list[PhaseSpan]] = {}
    for span in state.phases:
        spans.setdefault(span.phase, []).append(span)
    grid = Table.grid(padding=(0, 0))
    names: list[Text] = []
    times: list[Text] = []
    for phase in PIPELINE:
        keeps = state.started is not None and state.started.keep
        if phase is Phase.KEPT and not keeps and phase not in spans:
            continue
        name, time = _phase_cell(phase, spans.get(phase, []), state, frame)
        if names:
            names.append(Text(f" {frame.glyphs.link}{frame.glyphs.link} ", style="dim"))
            times.append(Text(""))
        names.append(name)
        times.append(time)
    for _ in names:
        grid.add_column(no_wrap=True)
    grid.add_row(*names)
    grid.add_row(*times)
    return grid


def _phase_cell(
    phase: Phase, spans: list[PhaseSpan], state: WatchedSession, frame: Frame
) -> tuple[Text, Text]:
    label = phase.value.replace("_", " ")
    if not spans:
        return Text(label, style="dim"), Text(frame.glyphs.pending, style="dim")
    if phase is Phase.ENDED:
        sign, style = outcome_sign(state.outcome, frame.glyphs)
        return Text(label, style="bold"), Text(sign, style=style)
    seconds = sum(((span.ended_at or frame.now) - span.started_at).total_seconds() for span in spans)
    if spans[-1].ended_at is None:
        return Text(label, style="bold cyan"), Text(
            f"{frame.glyphs.active} {duration(seconds)}", style="cyan"
        )
    return Text(label), Text(f"{frame.glyphs.done} {duration(seconds)}", style="green")


def _targets(state: WatchedSession, frame: Frame) -> Iterator[RenderableType]:
    views = list(state.targets.values())
    tally = Counter(view.state for view in views)
    states = ", ".join(f"{number} {name}" for name, number in tally.items())
    yield _heading("Targets", f"{len(views)}: {states}")
    if state.has_ended:
        # All containers are removed; only harmed targets are still listed.
        views = [view for view in views if view.harm or view.state in {"died", "unhealthy"}]
    room = max(frame.height - _FIXED_LINES - len(state.runs) - _extras(state, frame), 3)
    hidden = 0
    if len(views) > room:
        # Harmed and unhealthy targets first; healthy ones may be cut.
        order = {"died": 0, "unhealthy": 0, "created": 1, "starting": 1, "running": 1}
        views.sort(key=lambda view: 0 if view.harm else order.get(view.state, 2))
        hidden = len(views) - (room - 1)
        views = views[: room - 1]
    grid = _rows(frame, 16, 40)
    for view in views:
        grid.add_row(*_target_row(view, frame))
    if views:
        yield grid
    if hidden:
        yield Text(
            f"  … and {hidden} more" if frame.glyphs is UNICODE else f"  ... and {hidden} more", style="dim"
        )


def _target_row(view: Target, frame: Frame) -> tuple[Text, ...]:
    style = _TARGET_STYLES.get(view.state, "")
    sign = {
        "healthy": frame.glyphs.done,
        "running": frame.glyphs.active,
        "starting": frame.glyphs.active,
    }.get(view.state, frame.glyphs.pending)
    if view.harm or view.state in {"died", "unhealthy"}:
        sign, style = frame.glyphs.bad, "bold red"
    text = Text(view.state, style=style, no_wrap=True, overflow="ellipsis")
    if view.harm and HARM_WORDS[view.harm] != view.state:
        text.append(f", {HARM_WORDS[view.harm]}")
    if view.detail:
        text.append(f"  {inert(view.detail)}", "dim")
    return Text(f"  {sign}", style=style), shown(view.service), shown(view.image, "dim"), text


def _collectors(state: WatchedSession, frame: Frame) -> Iterator[RenderableType]:
    yield _heading("Collectors", "")
    grid = _rows(frame, 16, _BAR_WIDTH + 12)
    for view in state.runs.values():
        grid.add_row(*_collector_row(view, frame))
    yield grid


def _collector_row(view: Run, frame: Frame) -> tuple[Text, ...]:
    glyphs = frame.glyphs
    if view.ended is None:
        sign, style = glyphs.active, "cyan"
    else:
        sign, style = (glyphs.done, "green") if view.is_whole else (glyphs.warning, "yellow")
    seconds = ((view.ended_at or frame.now) - view.started_at).total_seconds()
    text = Text(counted(view.discoveries, "discovery", "discoveries"), no_wrap=True, overflow="ellipsis")
    if view.warnings:
        text.append(f", {counted(view.warnings, 'warning')}", "yellow")
    text.append(f", {duration(seconds)}")
    if view.ended is not None and not view.is_whole:
        text.append(", output cut" if view.ended.truncated else ", incomplete", "yellow")
    if view.message and view.ended is None and frame.wide:
        text.append(f"  {inert(view.message)}", "dim")
    return Text(f"  {sign}", style=style), shown(view.collector), _bar(view, frame, style), text


def _bar(view: Run, frame: Frame, style: str) -> Text:
    full, rest = frame.glyphs.bar_full, frame.glyphs.bar_rest
    if view.is_whole:
        return Text(full * _BAR_WIDTH, style=style)
    if not view.total:
        return Text(rest * _BAR_WIDTH, style="dim").append(f" {view.done}" if view.done else "", style)
    filled = min(view.done * _BAR_WIDTH // view.total, _BAR_WIDTH)
    bar = Text(full * filled, style=style).append(rest * (_BAR_WIDTH - filled), "dim")
    return bar.append(f" {view.done}/{view.total}", style)


def _discoveries(state: WatchedSession, frame: Frame) -> Iterator[RenderableType]:
    dot = f" {frame.glyphs.dot} "
    yield _heading(
        "Discoveries", dot.join(f"{n:,} {inert(titles_of(kind, n), 40)}" for kind, n in state.counts.items())
    )
    grid = _rows(frame, 11, 48)
    for found in list(state.latest)[-frame.most_discoveries :]:
        where = shown(place(found.key, state.addresses))
        grid.add_row(Text(""), shown(found.kind, "dim"), where, shown(summary_of(found)))
    yield grid


def _notices(state: WatchedSession, frame: Frame) -> Iterator[RenderableType]:
    count = f"{counted(state.warnings, 'warning')} so far" if state.warnings > _MOST_NOTICES else ""
    yield _heading("Notices", count)
    for notice in worst_notices(state.notices, _MOST_NOTICES):
        sign = frame.glyphs.warning if notice.level in {"note", "warning"} else frame.glyphs.bad
        # The last frame stays on the screen; nothing in it is cut.
        line = Text(
            f"  {sign} ", _NOTICE_STYLES[notice.level], no_wrap=not state.has_ended, overflow="ellipsis"
        )
        yield line.append(inert(notice_text(notice), 300))


def worst_notices(notices: Sequence[Notice], most: int) -> list[Notice]:
    """Return the `most` important notices in order of time: harm before warnings, warnings before notes."""
    weight = {"harm": 0, "failure": 0, "warning": 1, "note": 2}
    newest_first = range(len(notices) - 1, -1, -1)
    chosen = sorted(newest_first, key=lambda position: weight[notices[position].level])[:most]
    return [notices[position] for position in sorted(chosen)]


def _footer(state: WatchedSession, frame: Frame) -> Iterator[RenderableType]:
    for message in () if state.has_ended else frame.messages:
        yield Text(inert(f"{frame.glyphs.warning} {message}", 300), style="yellow")
    line = Text(no_wrap=True, overflow="ellipsis")
    if state.has_ended:
        sign, style = outcome_sign(state.outcome, frame.glyphs)
        line.append(f"{sign} ", style).append(f"Session {state.outcome}; everything it built is removed.")
    elif state.network is not None:
        line.append(countdown(state.network.expires_at, frame.now))
    else:
        line.append("Waiting in the queue; nothing is built yet.")
    if frame.hint and not state.has_ended:
        line.append(f"  {frame.hint}", "dim")
    yield line
    if state.has_ended and state.reason:
        yield Text(f"  {inert(state.reason, 1000)}")


def countdown(expires_at: datetime, now: datetime) -> str:
    """Return the time until the session's network is removed at the latest."""
    left = expires_at - now
    if left <= timedelta(0):
        return f"Cleanup is overdue: the deadline was {clock_time(expires_at)}."
    seconds = int(left.total_seconds())
    return f"Removed in {seconds // 60}:{seconds % 60:02d} at the latest ({clock_time(expires_at)})."


def _extras(state: WatchedSession, frame: Frame) -> int:
    return min(len(state.latest), frame.most_discoveries) + min(len(state.notices), _MOST_NOTICES)


def _heading(name: str, detail: str) -> RenderableType:
    return Text(name, style="bold", no_wrap=True, overflow="ellipsis").append(f"  {detail}", "not bold")


def _edges(left: Text, right: Text) -> RenderableType:
    grid = Table.grid(expand=True)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(left, right)
    return grid


def _rows(frame: Frame, first: int, second: int) -> Table:
    """Return a grid of mark, name, middle and rest; fixed widths keep it still while text changes."""
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(no_wrap=True, width=3)
    grid.add_column(no_wrap=True, overflow="ellipsis", width=first if frame.wide else min(first, 14))
    grid.add_column(no_wrap=True, overflow="ellipsis", width=second if frame.wide else min(second, 31))
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    grid.expand = True
    return grid
