"""A schedule's trend as its page draws it: recall over its times, and where a collector's image changed."""

from dataclasses import dataclass
from datetime import datetime

from dryrun_contract.schedule import Firing, Schedule

WIDTH, HEIGHT, MARGIN = 720.0, 220.0, 40.0
_COLOURS = 6
_MOST_CHANGES = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One way to scan."""

    name: str
    colour: int
    points: tuple[tuple[float, float, str], ...]
    band: str
    """Outline of the 95 % intervals."""
    line: str


@dataclass(frozen=True, slots=True)
class Change:
    """A time from which a collector ran from another image."""

    x: float
    what: str


@dataclass(frozen=True, slots=True)
class Trend:
    """Everything that the picture has."""

    lines: tuple[Line, ...]
    changes: tuple[Change, ...]
    first: str
    last: str


def trend(schedule: Schedule) -> Trend | None:
    """Return the trend; None before two times were measured."""
    measured = [
        each
        for each in reversed(schedule.firings)
        if any(arm.services.value is not None for arm in each.arms)
    ]
    if len(measured) < 2:
        return None
    step = (WIDTH - 2 * MARGIN) / (len(measured) - 1)
    places = {each.due_at: round(MARGIN + number * step, 1) for number, each in enumerate(measured)}
    names = list(dict.fromkeys(arm.arm for each in measured for arm in each.arms))
    return Trend(
        lines=tuple(_line(name, number, measured, places) for number, name in enumerate(names)),
        changes=tuple(_changes(measured, places)[:_MOST_CHANGES]),
        first=f"{measured[0].due_at:%Y-%m-%d}",
        last=f"{measured[-1].due_at:%Y-%m-%d}",
    )


def _height(value: float) -> float:
    return round(HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * value, 1)


def _line(name: str, number: int, measured: list[Firing], places: dict[datetime, float]) -> Line:
    points, upper, lower = [], [], []
    for each in measured:
        for arm in each.arms:
            recall = arm.services
            if arm.arm != name or recall.value is None:
                continue
            x = places[each.due_at]
            points.append((x, _height(recall.value), f"{each.due_at:%Y-%m-%d %H:%M} UTC: {recall.value:.2f}"))
            upper.append(f"{x},{_height(recall.value if recall.high is None else recall.high)}")
            lower.append(f"{x},{_height(recall.value if recall.low is None else recall.low)}")
    return Line(
        name,
        number % _COLOURS,
        tuple(points),
        " ".join([*upper, *reversed(lower)]),
        " ".join(f"{x},{y}" for x, y, _ in points),
    )


def _changes(measured: list[Firing], places: dict[datetime, float]) -> list[Change]:
    changes: list[Change] = []
    before: dict[str, str] = {}
    for each in measured:
        images = {name: image for arm in each.arms for name, image in arm.images.items()}
        changed = [name for name, image in images.items() if before.get(name, image) != image]
        if changed:
            short = {name: images[name].removeprefix("sha256:")[:12] for name in sorted(changed)}
            what = ", ".join(f"{name} {image}" for name, image in short.items())
            changes.append(Change(places[each.due_at], what))
        before |= images
    return changes
