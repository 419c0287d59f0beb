"""A whole system on a fleet, with templates that fit on one host and that are spread over several."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from fleet_lab import POOL, FleetLab
from local_stack import PATIENCE, ROOT, Stack, open_stack
from quick_stack import QUICK

SPREAD = QUICK.replace("  collectors:", "  spread: targets\n  collectors:")
LARGE = (ROOT / "templates" / "large.yml").read_text(encoding="utf-8")
ACROSS = LARGE.replace("  collectors:", "  spread: targets\n  collectors:", 1)
APART = QUICK.replace("  collectors:", "  spread: collectors\n  collectors:")


TEMPLATES = {"quick": QUICK, "spread": SPREAD, "apart": APART, "large": LARGE, "across": ACROSS}


@asynccontextmanager
async def stack_of(fleet: FleetLab, cluster: Path, fleet_file: str, **settings: str) -> AsyncIterator[Stack]:
    """Run a system on the fleet, with the templates `quick`, `spread` and `apart`, `large` and `across`."""
    async with AsyncExitStack() as exits:
        state = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="dt-")))
        (state / "templates").mkdir()
        for name, text in TEMPLATES.items():
            (state / "templates" / f"{name}.yml").write_text(text)
        (state / "fleet.yml").write_text(fleet_file)
        own = {
            "ORCHESTRATOR_FLEET": str(state / "fleet.yml"),
            "ORCHESTRATOR_SUBNET_POOL": POOL,
            "ORCHESTRATOR_TEMPLATES_DIR": str(state / "templates"),
            # Not used, and no guard beside those of the fleet is needed.
            "DOCKER_HOST": fleet.manager.docker_host,
            "APPROVAL_SESSIONS_AT_ONCE": "10",
        }
        stack = await exits.enter_async_context(open_stack(state, cluster, own | settings))
        await _until_every_host_may_take_sessions(stack)
        yield stack


async def _until_every_host_may_take_sessions(stack: Stack) -> None:
    """Wait for the first check of each host: the orchestrator is ready as soon as one of them is."""
    async with asyncio.timeout(60 * PATIENCE):
        while any(each["obstacle"] for each in (await stack.orchestrator_get("/hosts")).json()["hosts"]):
            await asyncio.sleep(0.1)
