"""A session whose network was prepared: until every target is healthy, beside what people use instead."""

import os
from functools import partial

from bench.parts.bring_up import OURS, Round, bodies_of, contestants, run_session, with_rounds
from bench.parts.warm_pool import prepared
from bench.processors import watched_processors
from bench.raw_engine import watched_engine
from bench.results import PartResult
from bench.system import running_sessions
from bench.turns import Setting, in_turn
from dryrun_contract.pool import ANY_TEMPLATE

ABOUT = """\
The orchestrator keeps one network prepared, empty and proved to be isolated, that any template can take
(`ORCHESTRATOR_POOL="*=1"`). A start claims it, and creates and starts its targets at once: neither network
nor proof has to be waited for. Otherwise as above. The next network is prepared between two turns and not
counted; [the warm pool](warm-pool.md#networks-for-any-template) says what it costs."""


async def measure(setting: Setting) -> PartResult:
    """Bring `small` and `large` up on prepared networks."""
    result = PartResult(part="prepared_network", title="On a prepared network", about=ABOUT)
    async with running_sessions({**os.environ, "ORCHESTRATOR_POOL": f"{ANY_TEMPLATE}=1"}) as sessions:

        async def ours(template: str) -> Round:
            await prepared(sessions, ANY_TEMPLATE)
            taken = await run_session(sessions, template, usage)
            # Nobody else is to be measured beside it.
            await prepared(sessions, ANY_TEMPLATE)
            return taken

        for template, rounds in (
            ("small", setting.rounds(6, long=20)),
            ("large", setting.rounds(5, long=10)),
        ):
            bodies = await bodies_of(sessions, template)
            async with watched_engine() as seen, watched_processors() as usage:
                all_of_them = contestants(sessions, template, bodies, usage)
                all_of_them[OURS] = partial(ours, template)
                taken = await in_turn(all_of_them, rounds, setting.share(0.5, template), warm_up=True)
            result = with_rounds(result, template, taken, {}, seen, "network")
    return result
