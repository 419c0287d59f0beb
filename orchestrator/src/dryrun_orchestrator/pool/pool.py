"""Decides which sessions are prepared, which are dropped, and whether one may be claimed as it is.

All of it follows from the journal's rows and the settings, so a new process decides as the last one did. In
a fleet each host has a stock of its own (`grounds`), and what happens on one holds up no other. Prepared
sessions hold only places that nobody needs: a session that waits for a place gets one of theirs.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import uuid4

from dryrun_contract import pool as words
from dryrun_contract.event import SessionPlaced, SessionQueued
from dryrun_contract.session import Phase
from dryrun_contract.text import printable
from dryrun_orchestrator import metrics
from dryrun_orchestrator.catalog.installed import Installed, OperatorFiles
from dryrun_orchestrator.catalog.template import LoadedTemplate
from dryrun_orchestrator.catalog.templates import TemplateInvalidError, UnknownTemplateError
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.engine.errors import EngineError
from dryrun_orchestrator.hosts.hosts import Hosts
from dryrun_orchestrator.journal.journal import Journal
from dryrun_orchestrator.journal.prepared_sessions import Claim
from dryrun_orchestrator.journal.records import DropCause, PoolState, SessionRecord
from dryrun_orchestrator.pool.grounds import (
    ONE_HOST,
    Drop,
    EachHost,
    Grounds,
    OneHost,
    Surroundings,
    stands_on,
)
from dryrun_orchestrator.pool.memory import available_bytes
from dryrun_orchestrator.pool.patience import Patience, is_of
from dryrun_orchestrator.pool.prepared_session import trouble_of
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.provisioning import addresses_mapped
from dryrun_orchestrator.settings import Settings, Stock

log = logging.getLogger(__name__)

ACTOR = "the warm pool"
CLAIM_LOOK_SECONDS = 2.0
_HELD = frozenset({PoolState.PREPARING, PoolState.READY})


class Pool:
    """The warm pool of one orchestrator."""

    def __init__(self, journal: Journal, files: OperatorFiles, hosts: Hosts, settings: Settings) -> None:
        self._journal = journal
        self._files = files
        self._grounds: Grounds = (
            OneHost(hosts.only.isolation, settings, available_bytes)
            if hosts.fleet is None
            else EachHost(hosts, settings)
        )
        self._settings = settings
        self._patience = Patience(self._grounds)

    def warn_of_what_is_missing(self) -> None:
        """Log the templates of the settings that cannot be prepared, as the files are now."""
        for stock in self._settings.pool:
            try:
                self._files.current.planned(stock.template, stock.seed)
            except (UnknownTemplateError, TemplateInvalidError) as error:
                log.warning("ORCHESTRATOR_POOL: nothing is prepared: %s", printable(str(error), limit=1000))

    # what is prepared

    async def prepare_next(
        self, records: Sequence[SessionRecord], around: Surroundings
    ) -> SessionRecord | None:
        """Store the session to prepare next; None when there is none, or nothing may be prepared now.

        One at a time on a host: a machine that prepares is slower for whoever works on it.
        """
        self._patience.note(records)
        moving = (PoolState.PREPARING, PoolState.DROPPING)
        busy = {name for record in records if record.pool in moving for name in stands_on(record)}
        installed = self._files.current
        for stock, name in self._shelves():
            if name in busy or not self._lacks(stock, name, records):
                continue
            if self._obstacle(stock, name, records, around, installed) is None:
                record, placed = self._row(stock, name, installed)
                await asyncio.to_thread(self._files.keep, installed)
                await self._journal.pool.add(record, *placed)
                return record
        return None

    def _shelves(self) -> list[tuple[Stock, str]]:
        """Return every stock of every host."""
        return [(stock, name) for stock in self._settings.pool for name in self._grounds.names]

    def _row(
        self, stock: Stock, name: str, installed: Installed
    ) -> tuple[SessionRecord, tuple[SessionPlaced, ...]]:
        """Return the row of a session to prepare, and in a fleet the event of where it stands."""
        now = utc_now()
        template = installed.planned(stock.template, stock.seed)
        placement = self._grounds.placement(name, template)
        record = SessionRecord(
            id=uuid4(),
            template=stock.template,
            template_digest=template.digest,
            seed=stock.seed,
            keep=False,
            actor=ACTOR,
            phase=Phase.QUEUED,
            phase_since=now,
            created_at=now,
            installed=installed.digest,
            pool=PoolState.PREPARING,
            prepared_at=now,
            placement=None if placement is None else placement.to_json(),
        )
        return record, () if placement is None else (placement.event(encrypted=False),)

    def _lacks(self, stock: Stock, name: str, records: Iterable[SessionRecord]) -> bool:
        held = [each for each in records if each.pool in _HELD and is_of(each, stock, name)]
        return sum(not self._is_aging(each) for each in held) < stock.count

    def _obstacle(
        self,
        stock: Stock,
        name: str,
        records: Sequence[SessionRecord],
        around: Surroundings,
        installed: Installed,
    ) -> str | None:
        """Return why no session of `stock` can be prepared on a host now."""
        try:
            template: LoadedTemplate = installed.planned(stock.template, stock.seed)
        except (UnknownTemplateError, TemplateInvalidError) as error:
            return str(error)
        return (
            self._patience.work_of_others(name, records)
            or self._grounds.obstacle(name, template, records, around)
            or self._patience.pause(stock, name, records)
        )

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
        return drops + self._grounds.to_give_way(held, records, around)

    def _unneeded(self, held: Sequence[SessionRecord]) -> list[Drop]:
        """Return sessions that the settings do not ask for there, and old ones that have a replacement."""
        drops: list[Drop] = []
        stocked = {(stock.template, stock.seed, name): stock.count for stock, name in self._shelves()}
        shelves: dict[tuple[str, int, str], list[SessionRecord]] = defaultdict(list)
        for record in held:
            for name in stands_on(record):
                shelves[record.template, record.seed, name].append(record)
        for key, mine in shelves.items():
            if (closed := self._grounds.closed(key[-1], self._template(*key[:2]))) is not None:
                drops += [Drop(each.id, DropCause.HOST, closed) for each in mine]
                continue
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

    def _template(self, template: str, seed: int) -> LoadedTemplate | None:
        try:
            return self._files.current.planned(template, seed)
        except (UnknownTemplateError, TemplateInvalidError):
            return None

    def _is_aging(self, record: SessionRecord) -> bool:
        settings = self._settings
        lead = settings.least_left_of(record.template) + settings.replacement_lead
        return record.expires_at is not None and record.expires_at - utc_now() < lead

    # claims

    async def claim(
        self,
        claimer: SessionRecord,
        queued: SessionQueued,
        context: SessionContext | None,
        template: LoadedTemplate,
    ) -> Claim | None:
        """Make a prepared session that of `claimer`; None when its id is not of this pool.

        `context` is that of the session's loop, `template` what the claimer requests. What cannot be shown to
        be sound starts cold.
        """
        try:
            prepared = await self._journal.session(claimer.id)
        except KeyError:
            return None
        if prepared.pool is None:
            return None
        is_network = prepared.template == words.ANY_TEMPLATE
        is_same = prepared.installed == claimer.installed and (
            is_network or prepared.template_digest == claimer.template_digest
        )
        warm = context is not None and is_same and self._is_claimable(prepared) and await _is_sound(context)
        mapped = None
        if is_network and prepared.subnet is not None:
            mapped = addresses_mapped(template, prepared.subnet, claimer.seed)
        claimed = await self._journal.pool.claim(claimer, queued, mapped, warm=warm)
        if claimed is not None:
            metrics.POOL_CLAIMS.labels(start=claimed).inc()
            # For its loop in the pool only: one that runs would take it for a stop, again and again.
            if context is not None:
                context.stop_requested.set()
        return claimed

    def _is_claimable(self, record: SessionRecord) -> bool:
        names = stands_on(record)
        return (
            record.pool is PoolState.READY
            and record.installed == self._files.current.digest
            and names <= set(self._grounds.names)
            and all(self._grounds.distrust(name) is None for name in names)
            and record.expires_at is not None
            and record.expires_at - utc_now() >= self._settings.least_left_of(record.template)
        )

    # what is shown

    def show(self, records: Sequence[SessionRecord], around: Surroundings) -> words.Pool:
        """Return what the pool holds, and why it lacks what it lacks."""
        return words.Pool(
            lines=tuple(self._line(stock, name, records, around) for stock, name in self._shelves())
        )

    def _line(
        self, stock: Stock, name: str, records: Sequence[SessionRecord], around: Surroundings
    ) -> words.PoolLine:
        mine = [record for record in records if is_of(record, stock, name)]
        ready = sorted((each for each in mine if self._is_claimable(each)), key=_worth, reverse=True)
        preparing = sum(record.pool is PoolState.PREPARING for record in mine)
        note = None
        if len(ready) + preparing < stock.count:
            note = self._obstacle(stock, name, records, around, self._files.current)
        return words.PoolLine(
            template=stock.template,
            seed=stock.seed,
            host=None if name == ONE_HOST else name,
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
        metrics.POOL_WANTED.set(sum(stock.count for stock, _ in self._shelves()))
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


def _worth(record: SessionRecord) -> tuple[bool, datetime]:
    return record.pool is PoolState.READY, record.expires_at or record.created_at
