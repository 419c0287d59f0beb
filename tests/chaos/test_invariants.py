"""What a campaign calls left: everything but an overlay that the swarm holds and that is reported."""

from types import SimpleNamespace
from uuid import uuid4

import pytest
from invariants import _is_held

from dryrun_local.machine.engine_view import Thing

SESSION = uuid4()
OVERLAY = Thing("network", "1", f"dryrun-{SESSION}", str(SESSION))
CONTAINER = Thing("container", "2", "dryrun-x", str(SESSION))
TOLD = {
    SESSION: {"reason": f"stopped; its empty overlay {OVERLAY.name} is left: the swarm keeps a task on it"}
}


def world(*, holds):
    async def answer(_):
        return holds

    return SimpleNamespace(holds=answer)


async def test_an_overlay_that_the_swarm_holds_is_reported_and_no_breach():
    assert await _is_held(world(holds=True), OVERLAY, [OVERLAY], TOLD)


@pytest.mark.parametrize(
    ("holds", "thing", "left", "ended"),
    [
        (False, OVERLAY, [OVERLAY], TOLD),
        (True, OVERLAY, [OVERLAY, CONTAINER], TOLD),
        (True, CONTAINER, [CONTAINER], TOLD),
        (True, OVERLAY, [OVERLAY], {SESSION: {"reason": "stopped"}}),
        (True, OVERLAY, [OVERLAY], {}),
    ],
    ids=["removable", "not empty", "a container", "not reported", "not ended"],
)
async def test_everything_else_that_is_left_is_a_breach(holds, thing, left, ended):
    assert not await _is_held(world(holds=holds), thing, left, ended)
