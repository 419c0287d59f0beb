"""Until every target is healthy, and until nothing is left: a session beside what people use instead."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bench.contestants import bare_loop, compose, docker_py, testcontainers_python
from bench.contestants.bodies import Bodies, read_bodies
from bench.courses import Course, medians, step_rows
from bench.processors import ALL, Seconds, Usage, watched_processors
from bench.raw_engine import Act, watched_engine
from bench.results import Breakdown, Measured, PartResult, Ratio, Table
from bench.system import ROOT, Sessions, first, reached, running_sessions
from bench.turns import Setting, in_turn
from dryrun_contract.event import BringUpSpan, BringUpTraced, Event
from dryrun_contract.scan_choice import ScanChoice
from dryrun_contract.session import Phase

ABOUT = """\
Each brings up the same targets from the same images on the same engine, in turn, and removes them again. A
session's time runs from the request to the approval API until its last target is healthy, then from the
request to stop it until the engine's listings are empty: it goes through the guard, writes everything to
its journal, and proves from inside that its network is shut. Compose waits with `--wait` and removes with
`down -t 0`. The bare loop sends the session's own bodies to the engine's socket, all at once, and does
nothing else: it is the limit. docker-py and testcontainers-python start one container after another, as
their documentation shows it, those of `large` with `LONG=1` only.

What a session adds has two causes, and the tables state the size of each. *The order*: its proof is one more
container, and no target starts before the verdict; only the targets' creation fits beside it. *The
processors*: guard, journal, API and database use what the engine needs (without the latter two, see
[Targets in a session](#targets-in-a-session)). A session is removed once its scan, which asks nothing here,
has ended: only its targets are left to remove, as with the others. The ratios called the limit are
those of the bare loop: where a bound is near or beyond them, there is little or nothing left to gain."""
_SCAN = ScanChoice(collectors=("no-question",))
"""It is over at once: no time of these includes a scan."""
OURS, COMPOSE, BARE = "a session", "docker compose", "a bare parallel loop"
HEALTHY = "healthy"
ONE_BY_ONE, TESTCONTAINERS = "docker-py, one by one", "testcontainers-python"


@dataclass(frozen=True)
class Round:
    """One bring-up and removal. A session has a trace: the seconds of its request, and its spans after it."""

    course: Course
    trace: tuple[float, Sequence[BringUpSpan]] = (0.0, ())
    used: Seconds = field(default_factory=dict)
    """Processor time until healthy, by who used it."""


async def measure(setting: Setting) -> PartResult:
    """Bring `small` and `large` up and down."""
    result = PartResult(part="bring_up", title="Bringing up and removing", about=ABOUT)
    async with running_sessions() as sessions:
        for template, rounds in (
            ("small", setting.rounds(6, long=20)),
            ("large", setting.rounds(5, long=10)),
        ):
            bodies = await bodies_of(sessions, template)
            async with watched_engine() as seen, watched_processors() as usage:
                fast = await in_turn(
                    contestants(sessions, template, bodies, usage),
                    rounds,
                    setting.share(0.35, template),
                    warm_up=True,
                )
            # They take long, and nobody is to be compared with them closely.
            slow = {}
            if template == "small" or setting.long:
                slow = await in_turn(
                    _one_by_one(bodies), setting.rounds(1, long=3), setting.share(0.1, template)
                )
            result = with_rounds(result, template, fast, slow, seen)
    return result


def contestants(
    sessions: Sessions, template: str, bodies: Bodies, usage: Usage
) -> dict[str, Callable[[], Awaitable[Round]]]:
    """Return what brings a template up and removes it again, by who does."""
    path, allowlist = ROOT / "templates" / f"{template}.yml", sessions.installation.allowlist

    async def bare() -> tuple[float, float]:
        return await bare_loop.bring_up_and_remove(bodies)

    async def composed() -> tuple[float, float]:
        return await asyncio.to_thread(compose.bring_up_and_remove, path, allowlist)

    return {
        OURS: lambda: run_session(sessions, template, usage),
        COMPOSE: lambda: _other(composed, usage),
        BARE: lambda: _other(bare, usage),
    }


def _one_by_one(bodies: Bodies) -> dict[str, Callable[[], Awaitable[Round]]]:
    async def one_by_one() -> tuple[float, float]:
        return await asyncio.to_thread(docker_py.bring_up_and_remove, bodies)

    async def tested() -> tuple[float, float]:
        return await asyncio.to_thread(testcontainers_python.bring_up_and_remove, bodies)

    return {ONE_BY_ONE: lambda: _other(one_by_one), TESTCONTAINERS: lambda: _other(tested)}


async def bodies_of(sessions: Sessions, template: str) -> Bodies:
    """Return what a session of a template sends to the engine."""
    session_id = await sessions.start(template)
    await sessions.until(session_id, Phase.SCANNING)
    bodies = read_bodies(str(session_id))
    await sessions.end(session_id)
    return bodies


async def run_session(sessions: Sessions, template: str, usage: Usage) -> Round:
    """Start a session, and stop it once its scan has ended, so that none but its targets are left."""
    begin = time.time()
    session_id = await sessions.start(template, keep=True, scan=_SCAN)
    events = await sessions.until(session_id, Phase.SCANNING)
    healthy = reached(events, Phase.SCANNING)
    assert healthy is not None
    await sessions.until(session_id, Phase.KEPT)
    stop = time.time()
    down = await sessions.end(session_id)
    course = Course(begin, healthy - begin, stop, down, session_id)
    return Round(course, _trace(begin, events), usage.between(begin, healthy))


async def _other(
    bring_up_and_remove: Callable[[], Awaitable[tuple[float, float]]], usage: Usage | None = None
) -> Round:
    up, down = await bring_up_and_remove()
    course = Course.ended(time.time(), up, down)
    return Round(course, used={} if usage is None else usage.between(course.begin, course.healthy))


def _trace(begin: float, events: list[Event]) -> tuple[float, Sequence[BringUpSpan]]:
    """Return how long the request took to be with the orchestrator, and the session's steps from then on."""
    queued = first(events, lambda event: event.data.type == "session_queued")
    spans = next(event.data.spans for event in events if isinstance(event.data, BringUpTraced))
    return max(0.0, (queued or begin) - begin), spans


def with_rounds(
    result: PartResult,
    template: str,
    fast: dict[str, list[Round]],
    slow: dict[str, list[Round]],
    seen: Sequence[Act],
    goals: str = HEALTHY,
) -> PartResult:
    """Return `result` with what was measured of a template; `goals` begins the ids of the goals it has."""
    both = fast | slow
    up = {name: [each.course.up for each in rounds] for name, rounds in both.items()}
    down = {name: [each.course.down for each in rounds] for name, rounds in both.items()}
    return result.model_copy(
        update={
            "measured": [
                *result.measured,
                *(Measured(name=f"{template}, until healthy: {name}", values=up[name]) for name in both),
                *(Measured(name=f"{template}, removal: {name}", values=down[name]) for name in both),
            ],
            "ratios": [
                *result.ratios,
                _ratio(
                    f"{template}, until healthy: session to bare loop", up, BARE, f"{goals}-bare-{template}"
                ),
                _ratio(
                    f"{template}, until healthy: session to Compose",
                    up,
                    COMPOSE,
                    f"{goals}-compose-{template}",
                ),
                _ratio(
                    f"{template}, removal: session to Compose",
                    down,
                    COMPOSE,
                    f"removal-{template}" if goals == HEALTHY else None,
                ),
                *(
                    Ratio(
                        name=f"{template}, {what}: bare loop to Compose, the limit",
                        pairs=list(zip(seconds[BARE], seconds[COMPOSE], strict=True)),
                    )
                    for what, seconds in (("until healthy", up), ("removal", down))
                ),
            ],
            "breakdowns": [*result.breakdowns, *_breakdowns(template, fast, seen)],
            "tables": [
                *result.tables,
                Table(
                    title=f"Steps of a session of {template} until healthy, medians in seconds",
                    columns=["step", "from", "until"],
                    rows=step_rows([each.trace for each in fast[OURS]]),
                ),
                Table(
                    title=f"Processor time until {template} is healthy, medians in seconds",
                    columns=["who used it", *fast],
                    rows=used_rows(fast),
                ),
            ],
        }
    )


def _breakdowns(template: str, rounds: dict[str, list[Round]], seen: Sequence[Act]) -> list[Breakdown]:
    up = [
        medians(f"`{template}` until healthy: {name}", [each.course.bringing_up(seen) for each in by])
        for name, by in rounds.items()
    ]
    down = []
    for name, by in rounds.items():
        containers = statistics.median_low([each.course.removed(seen) for each in by])
        pieces = [each.course.removing(seen) for each in by]
        down.append(medians(f"`{template}` removal: {name}, {containers} containers", pieces))
    return [*up, *down]


def used_rows(rounds: dict[str, list[Round]]) -> list[list[str]]:
    """Return who used how much processor time, by contestant; of services only what sessions need."""
    who = [ALL, *sorted(name for name in rounds[OURS][0].used if name != ALL)]
    return [
        [
            name if name == ALL else f"of it {name}",
            *(f"{statistics.median(each.used[name] for each in by):.2f}" for by in rounds.values()),
        ]
        for name in who
    ]


def _ratio(name: str, seconds: dict[str, list[float]], other: str, goal: str | None) -> Ratio:
    return Ratio(name=name, pairs=list(zip(seconds[OURS], seconds[other], strict=True)), goal=goal)
