"""Decides which sessions are prepared, which are dropped, and whether one may be claimed as it is.

All of it follows from the journal's rows and the settings, so a new process decides as the last one did.
Prepared sessions hold places of sessions that nobody needs: whoever waits for a place takes one of theirs.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from dryrun_contract import pool as words
from dryrun_contract.event import SessionQueued
from dryrun_contract.session import Phase
from dryrun_contract.text import printable
from dryrun_orchestrator import metrics
from dryrun_orchestrator.catalog.installed import Installed, OperatorFiles
from dryrun_orchestrator.catalog.templates import TemplateInvalidError, UnknownTemplateError
from dryrun_orchestrator.engine.protocol import EngineError
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.journal.prepared_sessions import Claim
from dryrun_orchestrator.journal.records import DropCause, PoolState, SessionRecord
from dryrun_orchestrator.pool.memory import available_bytes
from dryrun_orchestrator.pool.prepared_session import trouble_of
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.isolation import Isolation
from dryrun_orchestrator.settings import MEBIBYTE, Settings, Stock

log = logging.getLogger(__name__)

ACTOR = "the warm pool"
TARGET_BYTES = 128 * MEBIBYTE
"""Memory reckoned for one target before it exists. Idle ones use 20 to 30 MiB on average, scanned ones 75."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=5)
"""After a failure; each further one within half an hour doubles the pause."""
CLAIM_LOOK_SECONDS = 2.0
PATIENCE = timedelta(minutes=2)
"""How long the pool leaves the machine to sessions that follow each other: what is prepared beside a scan
makes it slower."""
_FAILURES = frozenset({DropCause.FAILED, DropCause.UNHEALTHY, DropCause.ISOLATION})
_HELD = frozenset({PoolState.PREPARING, PoolState.READY})
_STARTING = frozenset({Phase.QUEUED, Phase.PROVISIONING, Phase.WAITING})
_MEASURED = frozenset({Phase.SCANNING, Phase.CLEANING_UP})


@dataclass(frozen=True, slots=True)
class Drop:
    """A prepared session to drop, and why."""

    id: UUID
    cause: DropCause
    reason: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the pool has to go by besides its own sessions."""

    running: int
    """Places taken, by prepared sessions too."""
    waiting: int
    """Queued sessions without a place."""
    fault: str | None
    """Why the host could not be checked."""


class Pool:
    """The warm pool of one orchestrator."""

    def __init__(
        self,
        journal: Journal,
        files: OperatorFiles,
        isolation: Isolation,
        settings: Settings,
        now: Callable[[], datetime],
        memory: Callable[[], int | None] = available_bytes,
    ) -> None:
        self._journal = journal
        self._files = files
        self._isolation = isolation
        self._settings = settings
        self._now = now
        self._memory = memory
        self._measured_since: datetime | None = None
        """Since when, without a pause, some session or other is being scanned or removed."""

    # what is prepared

    async def prepare_next(
        self, records: Sequence[SessionRecord], around: Surroundings
    ) -> SessionRecord | None:
        """Store the session to prepare next; None when there is none, or nothing may be prepared now.

        One at a time: a machine that prepares is slower for whoever works on it.
        """
        self._note_work_of_others(records)
        if any(record.pool in (PoolState.PREPARING, PoolState.DROPPING) for record in records):
            return None
        installed = self._files.current
        for stock in self._settings.pool:
            if self._lacks(stock, records) and self._obstacle(stock, records, around, installed) is None:
                record = self._row(stock, installed)
                await asyncio.to_thread(self._files.keep, installed)
                await self._journal.pool.add(record)
                return record
        return None

    def _note_work_of_others(self, records: Iterable[SessionRecord]) -> None:
        """Note since when sessions are scanned or removed; one that starts meanwhile is no pause."""
        phases = {record.phase for record in records if record.pool is None}
        if not phases & (_MEASURED | _STARTING):
            self._measured_since = None
        elif phases & _MEASURED and self._measured_since is None:
            self._measured_since = self._now()

    def _row(self, stock: Stock, installed: Installed) -> SessionRecord:
        now = self._now()
        return SessionRecord(
            id=uuid4(),
            template=stock.template,
            template_digest=installed.templates.get(stock.template, stock.seed).digest,
            seed=stock.seed,
            keep=False,
            actor=ACTOR,
            phase=Phase.QUEUED,
            phase_since=now,
            created_at=now,
            installed=installed.digest,
            pool=PoolState.PREPARING,
            prepared_at=now,
        )

    def _lacks(self, stock: Stock, records: Iterable[SessionRecord]) -> bool:
        held = [each for each in records if each.pool in _HELD and _is_of(each, stock)]
        return sum(not self._is_aging(each) for each in held) < stock.count

    def _obstacle(
        self, stock: Stock, records: Iterable[SessionRecord], around: Surroundings, installed: Installed
    ) -> str | None:
        """Return why no session of `stock` can be prepared now."""
        records = tuple(records)
        try:
            targets = len(installed.templates.get(stock.template, stock.seed).services)
        except (UnknownTemplateError, TemplateInvalidError) as error:
            return str(error)
        if work := self._work_of_others(records):
            return work
        if around.running >= self._settings.sessions_at_once:
            return f"all {self._settings.sessions_at_once} places of sessions are taken"
        last = self._isolation.last
        if around.fault is not None or last is None or not last.isolated:
            return f"isolation is not proved: {around.fault or (last.detail if last else 'not probed yet')}"
        available, needed = self._memory(), self._settings.pool_spare_memory + targets * TARGET_BYTES
        if available is not None and available < needed:
            return f"{available // MEBIBYTE} MiB of memory are available, {needed // MEBIBYTE} MiB are needed"
        return self._pause(stock, records)

    def _work_of_others(self, records: Iterable[SessionRecord]) -> str | None:
        if any(each.pool is None and each.phase in _STARTING for each in records):
            return "a session is starting, or waits for a place"
        since = self._measured_since if _is_measured(records) else None
        # A clock that was set back must not stop the pool.
        if since is not None and timedelta(0) <= self._now() - since < PATIENCE:
            return "a session is being scanned or removed"
        return None

    def _pause(self, stock: Stock, records: Iterable[SessionRecord]) -> str | None:
        failed = [each for each in records if _is_of(each, stock) and _has_failed(each)]
        if not failed:
            return None
        last = max(failed, key=lambda each: each.ended_at or each.created_at)
        pause = min(FIRST_PAUSE * 2 ** min(len(failed) - 1, 10), LONGEST_PAUSE)
        left = ((last.ended_at or last.created_at) + pause - self._now()).total_seconds()
        # A clock that was set back must not stop the pool.
        if 0 < left <= pause.total_seconds():
            return f"the last one was dropped, next try in {left:.0f} s: {last.reason}"
        return None

    # what is dropped

    def to_drop(self, records: Sequence[SessionRecord], around: Surroundings) -> list[Drop]:
        """Return the sessions to drop now, of those that are prepared or ready."""
        drops = [
            Drop(record.id, DropCause.CHANGED, "images, allowlist, collectors or templates changed")
            for record in records
            if record.pool in _HELD and record.installed != self._files.current.digest
        ]
        gone = {drop.id for drop in drops}
        held = [record for record in records if record.pool in _HELD and record.id not in gone]
        drops += self._unneeded(held)
        gone = {drop.id for drop in drops}
        # The best to keep comes first: a ready one, and the one with the most time left.
        held = sorted((record for record in held if record.id not in gone), key=_worth, reverse=True)
        leaving = len(drops) + sum(record.pool is PoolState.DROPPING for record in records)
        for _ in range(min(around.waiting - leaving, len(held))):
            drops.append(Drop(held.pop().id, DropCause.ROOM, "a queued session needs its place"))
            leaving += 1
        available = self._memory() if held and not leaving else None
        if available is not None and available < self._settings.pool_spare_memory:
            what = f"only {available // MEBIBYTE} MiB of memory are available"
            drops.append(Drop(held.pop().id, DropCause.MEMORY, what))
        return drops

    def _unneeded(self, held: Sequence[SessionRecord]) -> list[Drop]:
        """Return sessions that the settings do not ask for, and old ones that have a replacement."""
        drops: list[Drop] = []
        stocked = {(stock.template, stock.seed): stock.count for stock in self._settings.pool}
        for key in {(record.template, record.seed) for record in held}:
            mine = [record for record in held if (record.template, record.seed) == key]
            fresh = sorted((each for each in mine if not self._is_aging(each)), key=_worth, reverse=True)
            count = stocked.get(key, 0)
            ready = sum(each.pool is PoolState.READY for each in fresh)
            drops += [
                Drop(each.id, DropCause.UNWANTED, "the settings ask for fewer") for each in fresh[count:]
            ]
            if ready >= count:
                drops += [
                    Drop(each.id, DropCause.DEADLINE, "it was replaced before its deadline")
                    for each in mine
                    if each not in fresh
                ]
        return drops

    def _is_aging(self, record: SessionRecord) -> bool:
        settings = self._settings
        lead = settings.least_left + settings.replacement_lead
        return record.expires_at is not None and record.expires_at - self._now() < lead

    # claims

    async def claim(
        self, claimer: SessionRecord, queued: SessionQueued, context: SessionContext | None
    ) -> Claim | None:
        """Make a prepared session that of `claimer`; None when its id is not of this pool.

        `context` is that of the session's loop. What cannot be shown to be sound starts cold.
        """
        try:
            prepared = await self._journal.session(claimer.id)
        except KeyError:
            return None
        if prepared.pool is None:
            return None
        is_same = (prepared.installed, prepared.template_digest) == (
            claimer.installed,
            claimer.template_digest,
        )
        warm = context is not None and is_same and self._is_claimable(prepared) and await _is_sound(context)
        claimed = await self._journal.pool.claim(claimer, queued, warm=warm)
        if claimed is not None:
            metrics.POOL_CLAIMS.labels(start=claimed).inc()
            # For its loop in the pool only: one that runs would take it for a stop, again and again.
            if context is not None:
                context.stop_requested.set()
        return claimed

    def _is_claimable(self, record: SessionRecord) -> bool:
        last = self._isolation.last
        return (
            record.pool is PoolState.READY
            and record.installed == self._files.current.digest
            # A proof of an earlier process counts for nothing here: whoever starts cold proves their own.
            and last is not None
            and last.isolated
            and self._isolation.lost is None
            and record.expires_at is not None
            and record.expires_at - self._now() >= self._settings.least_left
        )

    # what is shown

    def show(self, records: Sequence[SessionRecord], around: Surroundings) -> words.Pool:
        """Return what the pool holds, and why it lacks what it lacks."""
        return words.Pool(lines=tuple(self._line(stock, records, around) for stock in self._settings.pool))

    def _line(self, stock: Stock, records: Sequence[SessionRecord], around: Surroundings) -> words.PoolLine:
        mine = [record for record in records if _is_of(record, stock)]
        ready = sorted((each for each in mine if self._is_claimable(each)), key=_worth, reverse=True)
        preparing = sum(record.pool is PoolState.PREPARING for record in mine)
        note = None
        if len(ready) + preparing < stock.count:
            note = self._obstacle(stock, records, around, self._files.current)
        return words.PoolLine(
            template=stock.template,
            seed=stock.seed,
            wanted=stock.count,
            ready=tuple(
                words.PreparedSession(id=each.id, prepared_at=each.prepared_at, expires_at=each.expires_at)
                for each in ready[: words.MAX_PREPARED]
                if each.prepared_at is not None and each.expires_at is not None
            ),
            preparing=preparing,
            note=None if note is None else printable(note, limit=500),
        )

    def measure(self, records: Iterable[SessionRecord]) -> None:
        """Set the metrics of the pool."""
        metrics.POOL_WANTED.set(sum(stock.count for stock in self._settings.pool))
        states = [record.pool for record in records]
        for state in PoolState:
            if state is not PoolState.DROPPED:
                metrics.POOL.labels(state=state).set(states.count(state))


async def _is_sound(context: SessionContext) -> bool:
    try:
        async with asyncio.timeout(CLAIM_LOOK_SECONDS):
            trouble = await trouble_of(context)
    except (EngineError, TimeoutError) as error:
        trouble = str(error) or "the engine does not answer in time"
    if trouble is not None:
        log.warning("prepared session %s starts cold: %s", context.id, printable(trouble, limit=500))
    return trouble is None


def _is_measured(records: Iterable[SessionRecord]) -> bool:
    return any(record.pool is None and record.phase in _MEASURED for record in records)


def _is_of(record: SessionRecord, stock: Stock) -> bool:
    return record.pool is not None and (record.template, record.seed) == (stock.template, stock.seed)


def _has_failed(record: SessionRecord) -> bool:
    return record.pool is PoolState.DROPPED and record.drop_cause in _FAILURES


def _worth(record: SessionRecord) -> tuple[bool, datetime]:
    return record.pool is PoolState.READY, record.expires_at or record.created_at
