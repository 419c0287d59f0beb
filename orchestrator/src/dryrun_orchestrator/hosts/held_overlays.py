"""Notices which overlays of ended sessions the swarm has released; the reaper removes them."""

import asyncio
import logging

from dryrun_orchestrator import labels
from dryrun_orchestrator.engine.errors import EngineError
from dryrun_orchestrator.fleet.placement import Placement
from dryrun_orchestrator.hosts.hosts import Hosts
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.storage import NotStoredError

log = logging.getLogger(__name__)


class HeldOverlays:
    """Until one is gone, its session's row says so, and its subnet is given to no other session."""

    def __init__(self, hosts: Hosts, journal: Journal, seconds: float) -> None:
        """Look every `seconds`."""
        self._hosts = hosts
        self._journal = journal
        self._seconds = seconds

    async def look_forever(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.look()
            except NotStoredError as error:
                log.warning("which overlays are left is not known: %s", error)

    async def look(self) -> None:
        """Forget what no manager lists any more; nothing, while a host of the session cannot be asked."""
        for record in await self._journal.unfinished():
            if record.held_overlay is None or record.placement is None:
                continue
            engine = self._hosts.ground_of(Placement.from_json(record.placement)).engine
            try:
                left = await engine.list_networks(f"{labels.SESSION_ID}={record.id}")
            except EngineError as error:
                log.warning("overlay %s of session %s: %s", record.held_overlay, record.id, error)
                continue
            if left:
                continue
            try:
                await self._journal.update_session(record.id, held_overlay=None)
            except NotStoredError as error:
                log.warning(
                    "overlay %s of session %s is gone, but that cannot be stored: %s",
                    record.held_overlay,
                    record.id,
                    error,
                )
                continue
            log.warning("overlay %s of session %s is gone", record.held_overlay, record.id)
