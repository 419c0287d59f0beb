"""The hosts that sessions run on, as the orchestrator reports them."""

import asyncio
import logging
from typing import Protocol

from approval_api.orchestrator.client import OrchestratorRefusedError, OrchestratorUnavailableError
from dryrun_contract.fleet import Fleet

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 1.0
"""How long a page waits for the fleet; it is shown without it otherwise."""


class FleetSource(Protocol):
    """The orchestrator's call about its hosts."""

    async def fleet(self) -> Fleet:
        """Return the hosts."""
        ...


async def fleet_now(orchestrator: FleetSource) -> Fleet | None:
    """Return the fleet; None when the orchestrator does not answer at once, or knows of none."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await orchestrator.fleet()
    except (OrchestratorRefusedError, OrchestratorUnavailableError, TimeoutError) as error:
        logger.info("the hosts are unknown", extra={"reason": str(error) or type(error).__name__})
        return None
