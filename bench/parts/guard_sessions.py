"""How much longer a whole session takes through the guard: pairs of sessions, in turn."""

import os
import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from bench.courses import medians
from bench.orchestrators import Orchestrator, inherited, orchestrator
from bench.processors import cpu_seconds, services
from bench.results import Measured, PartResult, Ratio
from bench.system import ROOT
from bench.turns import Setting, in_turn
from dryrun_local.machine.engine_view import DEFAULT_HOST
from dryrun_local.machine.installation import Installation
from dryrun_local.system.guard import running_guard

ABOUT = """\
Whole sessions of `small` by two orchestrators, one behind the guard, one straight at the engine's socket;
only one has a session at a time. A session's time is that between its events, from queued to ended. It makes
some 140 calls, each of which costs half a millisecond more ([below](#a-request-through-the-guard)), and while
targets start, the guard's processor time is missing elsewhere. Two sessions of the same kind differ by some
per cent, as the ranges show: so may ratios of a few pairs."""
WAYS = {"guard": "through the guard", "direct": "straight to the engine"}
POOLS = {"guard": "10.213.224.0/20", "direct": "10.213.240.0/20"}
TEMPLATE = "small"


async def measure(setting: Setting) -> PartResult:
    """Run the pairs."""
    async with AsyncExitStack() as exits:
        state = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="db-")))
        guarding = Installation(ROOT, state / "guarding")
        guarding.prepare()
        environ = os.environ | {
            "ORCHESTRATOR_ALLOWLIST": str(Installation.here().allowlist),
            "ORCHESTRATOR_SUBNET_POOL": POOLS["guard"],
        }
        _, guard = await exits.enter_async_context(running_guard(guarding, environ, inherited()))
        hosts = {"guard": guard, "direct": os.environ.get("DOCKER_HOST") or DEFAULT_HOST}
        orchestrators = {
            name: await exits.enter_async_context(orchestrator(state, name, host, pool=POOLS[name]))
            for name, host in hosts.items()
        }
        (guard_pid,) = services()["guard"]
        rounds = await in_turn(
            {name: partial(_session, each, guard_pid) for name, each in orchestrators.items()},
            setting.rounds(5, long=30),
            setting,
            warm_up=True,
        )
    seconds = {name: [sum(phases.values()) for phases, _ in each] for name, each in rounds.items()}
    computed = Measured(
        name="the guard's processor time in a session", values=[used for _, used in rounds["guard"]]
    )
    return PartResult(
        part="guard_sessions",
        title="A session through the guard",
        about=ABOUT,
        measured=[
            *(
                Measured(name=f"a session of `small`: {name}", values=seconds[way])
                for way, name in WAYS.items()
            ),
            computed,
        ],
        breakdowns=[
            medians(f"`small` {name}", [list(phases.items()) for phases, _ in rounds[way]])
            for way, name in WAYS.items()
        ],
        ratios=[
            Ratio(
                name="through the guard, to straight",
                pairs=list(zip(seconds["guard"], seconds["direct"], strict=True)),
                goal="guard-session",
            )
        ],
    )


async def _session(orchestrator: Orchestrator, guard_pid: int) -> tuple[dict[str, float], float]:
    """Return the seconds of each phase of a session, and what the guard computed meanwhile."""
    before = cpu_seconds(guard_pid)
    return await orchestrator.phases(TEMPLATE), cpu_seconds(guard_pid) - before
