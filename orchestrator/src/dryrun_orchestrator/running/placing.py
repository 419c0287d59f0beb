"""Finds places for queued sessions, the oldest first: on the one host, or on those of a fleet."""

import logging
from collections.abc import AsyncGenerator, Callable, Sequence

from dryrun_contract.event import PhaseChanged
from dryrun_contract.session import Outcome, Phase
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.fleet.placement import Needs, as_good
from dryrun_orchestrator.hosts.hosts import Hosts
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.journal.records import SessionRecord
from dryrun_orchestrator.running.contexts import Contexts
from dryrun_orchestrator.settings import Settings

log = logging.getLogger(__name__)

MOST_WANTING = 8
"""How many waiting sessions are considered when prepared ones give way to them."""


class Placing:
    """Gives places to sessions. A place is stored before anything of the session is created."""

    def __init__(self, hosts: Hosts, contexts: Contexts, journal: Journal, settings: Settings) -> None:
        self._hosts = hosts
        self._contexts = contexts
        self._journal = journal
        self._settings = settings
        self.wanting: tuple[Needs, ...] = ()
        """In a fleet, what the next sessions take that wait for room, since the last look."""

    async def admitted(
        self,
        queued: Sequence[SessionRecord],
        everything: Sequence[SessionRecord],
        running: Callable[[], int],
    ) -> AsyncGenerator[SessionRecord]:
        """Yield the queued sessions that start now. `running` counts those that have started."""
        if self._hosts.fleet is not None:
            unplaced = [r for r in queued if r.placement is None and r.stop_requested_at is None]
            for record in await self._place(unplaced, everything):
                yield record
        for record in queued:
            # A queued session that was stopped needs no place: it ends at once. One that has a place was
            # given it by a process that died before it started the session.
            has_place = record.stop_requested_at is not None or record.placement is not None
            if has_place or (self._hosts.fleet is None and running() < self._settings.sessions_at_once):
                yield record

    async def _place(
        self, queued: Sequence[SessionRecord], everything: Sequence[SessionRecord]
    ) -> list[SessionRecord]:
        """Return the sessions of `queued` that can start now, with their places, or their reason to end.

        A session that would fit on the usable hosts if they were empty is not overtaken: otherwise a large
        one would wait for ever. One that has to wait for a host to come back holds up nobody. One that would
        be spread over more hosts only because of prepared sessions waits until these have given way.
        """
        starting: list[SessionRecord] = []
        wanting: list[Needs] = []
        placed = [record for record in everything if record.placement is not None]
        prepared = [record for record in placed if record.pool is not None]
        held = [record for record in placed if record.pool is None]
        for number, record in enumerate(queued):
            needs = await self._contexts.needs(record)
            best = self._hosts.place(needs, [*held, *starting])
            placement = self._hosts.place(needs, [*held, *starting, *prepared]) if prepared else best
            if placement is not None and as_good(placement, best):
                event = placement.event(encrypted=self._hosts.is_encrypted)
                starting.append(
                    await self._journal.update_session(
                        record.id, event, placement=placement.to_json(), reason=None
                    )
                )
            elif (reason := self._hosts.why_never(needs)) is not None:
                starting.append(await self._end(record, reason))
            elif await self._waits_for_place(record, needs):
                wanting = [needs, *await self._behind(queued[number + 1 :])]
                break
        self.wanting = tuple(wanting)
        return starting

    async def _behind(self, queued: Sequence[SessionRecord]) -> list[Needs]:
        """Return what the next sessions take behind one that waits for a place; renew the reasons of all."""
        for record in queued:
            if record.reason is not None:
                await self._waits_for_place(record, await self._contexts.needs(record))
        return [await self._contexts.needs(record) for record in queued[: MOST_WANTING - 1]]

    async def _waits_for_place(self, record: SessionRecord, needs: Needs) -> bool:
        """Return whether a session waits for a place; report what else it waits for, and its end."""
        reason = None if self._hosts.could_fit(needs) else self._hosts.why_not_yet(needs)
        if record.reason != reason:
            event = PhaseChanged(phase=Phase.QUEUED, reason=reason)
            await self._journal.update_session(record.id, event, reason=reason)
        return reason is None

    async def _end(self, record: SessionRecord, reason: str) -> SessionRecord:
        log.warning("session %s: %s", record.id, reason)
        return await self._journal.update_session(
            record.id,
            phase=Phase.CLEANING_UP,
            phase_since=utc_now(),
            outcome=Outcome.FAILED,
            reason=reason,
        )
