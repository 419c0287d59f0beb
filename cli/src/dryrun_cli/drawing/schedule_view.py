"""Draws schedules: when each is due, and what became of its runs."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.text import Text

from dryrun_cli.api.session_ids import short
from dryrun_cli.drawing.glyphs import Glyphs
from dryrun_cli.drawing.listing import listing
from dryrun_cli.drawing.moments import dated, minute, when
from dryrun_cli.drawing.safe_text import folded, inert
from dryrun_contract.schedule import Firing, Schedule, ScheduleView
from dryrun_contract.text import counted

_STYLES = {"started": "green", "failed": "red", "skipped": "yellow", "starting": "cyan"}


def draw_schedules(schedules: Iterable[ScheduleView], glyphs: Glyphs) -> RenderableType:
    """Return one row per schedule."""
    table = listing("ID", "NAME", "STATE", "WHEN", dated("NEXT"), "OWNER", give_way={"NAME", "WHEN", "OWNER"})
    for each in schedules:
        table.add_row(
            Text(short(each.id), style="cyan"),
            folded(each.request.experiment.name, 40),
            _state(each, glyphs),
            folded(f"{each.request.cron} {each.request.timezone}", 60),
            "-" if each.next_at is None else minute(each.next_at),
            folded(each.owner, 20),
        )
    if not table.row_count:
        return Text("No schedules yet. To make one: dryrun schedule add FILE --cron '30 2 * * *'")
    return table


def draw_schedule(schedule: Schedule, glyphs: Glyphs) -> RenderableType:
    """Return a schedule with its newest runs."""
    head = Text(inert(schedule.request.experiment.name), style="bold")
    head.append("  ").append_text(_state(schedule, glyphs))
    parts: list[RenderableType] = [
        head,
        Text(
            f"{schedule.id}, {inert(schedule.request.cron)} {inert(schedule.request.timezone)}, "
            f"as {inert(schedule.owner)}",
            style="dim",
        ),
    ]
    experiment = schedule.request.experiment
    parts.append(
        Text(
            f"{inert(', '.join(experiment.templates), 300)}, {counted(len(experiment.seeds), 'seed')}, "
            f"{counted(experiment.repetitions, 'repetition')}; "
            f"ways to scan: {inert(', '.join(arm.name for arm in experiment.arms()), 600)}"
        )
    )
    if schedule.next_at is not None:
        ends = schedule.token_ends_at
        until = "" if ends is None else f", until the token that made or resumed it ends, {when(ends)}"
        parts.append(Text(f"Next: {when(schedule.next_at)}{until}"))
    if schedule.paused_because is not None:
        parts.append(Text(f"Paused: {inert(schedule.paused_because, 500)}", style="yellow"))
    if not schedule.firings:
        return Group(*parts, Text("It has not been due yet."))
    recall = "RECALL OF SERVICES"
    table = listing(dated("DUE"), "STATE", "EXPERIMENT", "SESSIONS", recall, give_way={recall})
    for each in schedule.firings:
        table.add_row(*_row(each))
    return Group(*parts, Text(""), table)


def _row(firing: Firing) -> tuple[RenderableType, ...]:
    state = Text(firing.state, style=_STYLES.get(firing.state, ""))
    if firing.experiment is None:
        return minute(firing.due_at), state, "-", "-", inert(firing.reason or "", 300)
    experiment = firing.experiment
    failed = f", {experiment.failed} failed" if experiment.failed else ""
    recalls = ", ".join(
        f"{inert(arm.arm, 40) + ' ' if len(firing.arms) > 1 else ''}{arm.services.value:.2f}"
        for arm in firing.arms
        if arm.services.value is not None
    )
    sessions = f"{experiment.measured} of {experiment.runs}{failed}"
    return minute(firing.due_at), state, short(experiment.id), sessions, recalls or "-"


def _state(schedule: ScheduleView, glyphs: Glyphs) -> Text:
    if schedule.next_at is None:
        return Text(f"{glyphs.warning} paused", style="yellow")
    return Text(f"{glyphs.active} on", style="green")
