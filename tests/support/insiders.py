"""What must hold for everybody else while an insider is hostile, judged from outside."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median

from bystander import Bystander, invited, p99
from local_stack import Stack
from resident import watched

MOST_MIB = 300
"""Resident memory of each service at every moment."""
SIGN_IN_SECONDS, OVERVIEW_SECONDS = 2.0, 1.0
"""99 of 100 take less, unless the machine is slow."""
SIGN_INS, OVERVIEWS = 12, 6
"""Where the times above are less than so many sign-ins before the attack, 99 of 100 take less than these."""
CALM_SIGN_INS = 5
"""Their median is the measure of the machine."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class World:
    """A system, and somebody who works with it."""

    stack: Stack
    bystander: Bystander

    @classmethod
    async def of(cls, stack: Stack) -> "World":
        world = cls(stack, await invited(stack))
        for _ in range(CALM_SIGN_INS - 1):
            async with world.bystander.at_work():
                pass
        return world

    @asynccontextmanager
    async def undisturbed(self, attack: str, overviews: int = 0) -> AsyncIterator[None]:
        """Require that what happens in the block disturbs nobody, judged by `overviews` or more.

        Figures are logged, one line an attack.
        """
        pids = {"approval API": self.stack.api.pid, "orchestrator": self.stack.orchestrator.pid}
        with watched(pids) as peaks:
            async with self.bystander.at_work(overviews) as experience:
                yield
        calm = median(self.bystander.calm[-CALM_SIGN_INS:])
        figures = {
            "attack": attack,
            "peak MiB": {name: round(peak) for name, peak in peaks.items()},
            "sign-in p99": round(p99(experience.sign_ins), 2),
            "overview p99": round(p99(experience.overviews), 2),
            "calm sign-in": round(calm, 2),
        }
        logger.info("%s", json.dumps(figures))
        assert not experience.failures, figures
        assert max(peaks.values()) < MOST_MIB, figures
        assert p99(experience.sign_ins) < max(SIGN_IN_SECONDS, SIGN_INS * calm), figures
        assert p99(experience.overviews) < max(OVERVIEW_SECONDS, OVERVIEWS * calm), figures
