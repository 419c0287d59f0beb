"""Until every target is healthy, and until nothing is left: a session beside what people use instead."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from bench.contestants import bare_loop, compose, docker_py, testcontainers_python
from bench.contestants.bodies import Bodies, read_bodies
from bench.results import Breakdown, Measured, PartResult, Ratio
from bench.system import ROOT, Sessions, first, last, reached, running_sessions
from bench.turns import Setting, in_turn
from dryrun_contract.event import Event, TargetChanged
from dryrun_contract.session import Phase

ABOUT = """\
Each brings up the same targets from the same images on the same engine, in turn, and removes them again. A
session's time runs from the request to the approval API until its last target is healthy, then from the
request to stop it until the engine's listings are empty: it goes through the guard, writes everything to
its journal, and proves from inside that its network is shut. Compose waits with `--wait` and removes with
`down -t 0`. The bare loop sends the session's own bodies to the engine's socket, all at once, and does
nothing else: it is the limit. docker-py and testcontainers-python start one container after another, as
their documentation shows it, those of `large` with `LONG=1` only.

What a session adds: its proof is one more container, and no target starts before the verdict; and guard,
journal, API and database use processors that the engine needs (without the latter two, see
[Targets in a session](#targets-in-a-session)). The ratios called the limit are those of the bare loop: where
a bound is near or beyond them, there is little or nothing left to gain."""
OURS, COMPOSE, BARE = "a session", "docker compose", "a bare parallel loop"
ONE_BY_ONE, TESTCONTAINERS = "docker-py, one by one", "testcontainers-python"

type Times = tuple[float, float, dict[str, float]]
"""Seconds until healthy, seconds until nothing is left, and what the first are made of."""


async def measure(setting: Setting) -> PartResult:
    """Bring `small` and `large` up and down."""
    result = PartResult(part="bring_up", title="Bringing up and removing", about=ABOUT)
    async with running_sessions() as sessions:
        for template, rounds in (
            ("small", setting.rounds(6, long=20)),
            ("large", setting.rounds(5, long=10)),
        ):
            fast = await in_turn(
                await _contestants(sessions, template), rounds, setting.share(0.35, template), warm_up=True
            )
            # They take long, and nobody is to be compared with them closely.
            slow = {}
            if template == "small" or setting.long:
                slow = await in_turn(
                    await _one_by_one(sessions, template),
                    setting.rounds(1, long=3),
                    setting.share(0.1, template),
                )
            result = _with(result, template, fast, slow)
    return result


async def _contestants(sessions: Sessions, template: str) -> dict[str, Callable[[], Awaitable[Times]]]:
    bodies = await _bodies(sessions, template)
    path, allowlist = ROOT / "templates" / f"{template}.yml", sessions.installation.allowlist

    async def bare() -> Times:
        return *await bare_loop.bring_up_and_remove(bodies), {}

    async def composed() -> Times:
        return *await asyncio.to_thread(compose.bring_up_and_remove, path, allowlist), {}

    return {OURS: lambda: _session(sessions, template), COMPOSE: composed, BARE: bare}


async def _one_by_one(sessions: Sessions, template: str) -> dict[str, Callable[[], Awaitable[Times]]]:
    bodies = await _bodies(sessions, template)

    async def one_by_one() -> Times:
        return *await asyncio.to_thread(docker_py.bring_up_and_remove, bodies), {}

    async def tested() -> Times:
        return *await asyncio.to_thread(testcontainers_python.bring_up_and_remove, bodies), {}

    return {ONE_BY_ONE: one_by_one, TESTCONTAINERS: tested}


async def _bodies(sessions: Sessions, template: str) -> Bodies:
    session_id = await sessions.start(template)
    await sessions.until(session_id, Phase.SCANNING)
    bodies = read_bodies(str(session_id))
    await sessions.end(session_id)
    return bodies


async def _session(sessions: Sessions, template: str) -> Times:
    begin = time.time()
    session_id = await sessions.start(template)
    events = await sessions.until(session_id, Phase.SCANNING)
    healthy = reached(events, Phase.SCANNING)
    assert healthy is not None
    return healthy - begin, await sessions.end(session_id), _pieces(begin, events)


def _pieces(begin: float, events: list[Event]) -> dict[str, float]:
    """Return the seconds between milestones, in the order in which sessions reach them.

    What goes on at the same time counts for the milestone that is reached first.
    """
    milestones = {
        "request": first(events, lambda event: event.data.type == "session_queued"),
        "network": first(events, lambda event: event.data.type == "network_created"),
        "isolation proof": first(events, lambda event: event.data.type == "isolation_probed"),
        "starting targets": last(events, lambda event: _is_target(event, "running")),
        "becoming healthy": last(events, lambda event: _is_target(event, "healthy")),
        "seeing it": reached(events, Phase.SCANNING),
    }
    pieces, before = {}, begin
    for name, at in milestones.items():
        now = max(before, at or before)
        pieces[name], before = now - before, now
    return pieces


def _is_target(event: Event, state: str) -> bool:
    return isinstance(event.data, TargetChanged) and event.data.state == state


def _with(
    result: PartResult, template: str, fast: dict[str, list[Times]], slow: dict[str, list[Times]]
) -> PartResult:
    both = fast | slow
    up = {name: [times[0] for times in values] for name, values in both.items()}
    down = {name: [times[1] for times in values] for name, values in both.items()}
    pieces = [times[2] for times in fast[OURS]]
    made_of = [(name, statistics.median(each[name] for each in pieces)) for name in pieces[0]]
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
                    f"{template}, until healthy: session to bare loop", up, BARE, f"healthy-bare-{template}"
                ),
                _ratio(
                    f"{template}, until healthy: session to Compose",
                    up,
                    COMPOSE,
                    f"healthy-compose-{template}",
                ),
                _ratio(f"{template}, removal: session to Compose", down, COMPOSE, f"removal-{template}"),
                *(
                    Ratio(
                        name=f"{template}, {what}: bare loop to Compose, the limit",
                        pairs=list(zip(seconds[BARE], seconds[COMPOSE], strict=True)),
                    )
                    for what, seconds in (("until healthy", up), ("removal", down))
                ),
            ],
            "breakdowns": [*result.breakdowns, Breakdown(name=f"`{template}` until healthy", pieces=made_of)],
        }
    )


def _ratio(name: str, seconds: dict[str, list[float]], other: str, goal: str) -> Ratio:
    return Ratio(name=name, pairs=list(zip(seconds[OURS], seconds[other], strict=True)), goal=goal)
