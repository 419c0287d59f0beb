"""Removes resources that no session loop handles: our own at any time, any owner's after their deadline.

Removal goes by exact label, never by name or prefix, and never prunes. A resource is left alone when its
session label is not an id, or when another owner's deadline has not passed or cannot be read.
"""

import logging
from collections.abc import Callable, Mapping
from uuid import UUID

from dryrun_contract.session import Phase
from dryrun_orchestrator import labels, metrics
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.engine.protocol import Engine
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.session.removal import LeftoverError, remove_everything

log = logging.getLogger(__name__)


class Reaper:
    """Each round lists everything with the session label and removes what is due."""

    def __init__(self, engine: Engine, journal: Journal) -> None:
        self._engine = engine
        self._journal = journal

    async def round(self, busy: Callable[[], set[UUID]]) -> list[UUID]:
        """Remove what is due and return the ids of its sessions. Raises EngineError.

        `busy` returns the ids whose resources somebody else removes now: sessions with a loop of their own,
        and the check of the host.
        """
        removed = []
        for session_id in sorted(await self._due(busy), key=str):
            label = f"{labels.SESSION_ID}={session_id}"
            try:
                containers = await remove_everything(self._engine, label)
            except LeftoverError as error:
                metrics.REAPER_FAILURES.inc()
                log.warning("reaper: session %s: %s; trying again next round", session_id, error)
                continue
            metrics.REAPED.labels(kind="container").inc(len(containers))
            log.warning("reaper: removed what was left of session %s", session_id)
            removed.append(session_id)
        return removed

    async def _due(self, busy: Callable[[], set[UUID]]) -> set[UUID]:
        others = busy()
        containers = await self._engine.list_containers(labels.SESSION_ID)
        networks = await self._engine.list_networks(labels.SESSION_ID)
        # What began meanwhile may have been listed as well.
        others |= busy()
        active = {s.id for s in await self._journal.unfinished() if s.phase is not Phase.ENDED}
        due: set[UUID] = set()
        kept: set[UUID] = set()
        for found in [each.labels for each in containers] + [each.labels for each in networks]:
            session_id = _session_id(found)
            if session_id is None or session_id in others or session_id in active:
                continue
            (due if self._is_due(found) else kept).add(session_id)
        # Removal is per session: one resource that must stay keeps the others of its session.
        return due - kept

    def _is_due(self, found: Mapping[str, str]) -> bool:
        if found.get(labels.OWNER) == str(self._journal.id):
            return True
        try:
            return labels.parse_rfc3339(found.get(labels.EXPIRES_AT, "")) < utc_now()
        except ValueError:
            return False


def _session_id(found: Mapping[str, str]) -> UUID | None:
    """Return the session id in the label; None unless it is in canonical form."""
    text = found.get(labels.SESSION_ID, "")
    try:
        session_id = UUID(text)
    except ValueError:
        return None
    return session_id if str(session_id) == text else None
