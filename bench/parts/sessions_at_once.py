"""What sessions cost one another: 1, 2, 4 and 8 whole sessions at once."""

import asyncio

from bench.orchestrators import Orchestrator, guarded_orchestrator
from bench.results import Growth, PartResult
from bench.turns import Setting

ABOUT = """\
Whole sessions of `small` started together, through one guard, until the last one has ended. Slope 1:
together they take as long as one after another; below 1, they share what one leaves idle."""
NUMBERS = (1, 2, 4, 8)
POOL = "10.213.128.0/19"
TEMPLATE = "small"


async def measure(setting: Setting) -> PartResult:
    """Run them; the first session warms up."""
    points: list[tuple[float, float]] = []
    async with guarded_orchestrator(pool=POOL, at_once=max(NUMBERS)) as orchestrator:
        setting.say("to warm up")
        await orchestrator.session(TEMPLATE)
        for number in NUMBERS:
            for _ in range(setting.rounds(1, long=4)):
                setting.say(f"{number} at once")
                points.append((number, await _together(orchestrator, number)))
    work, cost = "sessions of small at once", "seconds until all have ended"
    growth = Growth(name="Sessions at once", work=work, cost=cost, points=points)
    return PartResult(part="sessions_at_once", title="Sessions at once", about=ABOUT, growths=[growth])


async def _together(orchestrator: Orchestrator, number: int) -> float:
    begin = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as group:
        for _ in range(number):
            group.create_task(orchestrator.session(TEMPLATE))
    return asyncio.get_running_loop().time() - begin
