"""When the pool leaves a host to others, and how long it rests after a failure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from dryrun_contract.session import Phase
from dryrun_orchestrator.clock import utc_now
from dryrun_orchestrator.journal.records import DropCause, PoolState, SessionRecord
from dryrun_orchestrator.pool.grounds import Grounds, stands_on
from dryrun_orchestrator.settings import Stock

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=5)
"""Pause after a failure; each further one within half an hour doubles it."""
PATIENCE = timedelta(minutes=2)
"""How long the pool leaves the machine to sessions that follow each other: what is prepared beside a scan
makes it slower."""
_FAILURES = frozenset({DropCause.FAILED, DropCause.UNHEALTHY, DropCause.ISOLATION})
_STARTING = frozenset({Phase.QUEUED, Phase.PROVISIONING, Phase.WAITING})
_MEASURED = frozenset({Phase.SCANNING, Phase.CLEANING_UP})


class Patience:
    """What has to be over on each host before the next session is prepared there."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        self._measured_since: dict[str, datetime] = {}
        """Host → since when, without a pause, some session or other is being scanned or removed there."""

    def note(self, records: Iterable[SessionRecord]) -> None:
        """Note since when sessions are scanned or removed; one that starts meanwhile is no pause."""
        phases: dict[str, set[Phase]] = {name: set() for name in self._grounds.names}
        for record in records:
            if record.pool is None:
                for name in stands_on(record) & phases.keys():
                    phases[name].add(record.phase)
        for name, found in phases.items():
            if not found & (_MEASURED | _STARTING):
                self._measured_since.pop(name, None)
            elif found & _MEASURED:
                self._measured_since.setdefault(name, utc_now())

    def work_of_others(self, name: str, records: Iterable[SessionRecord]) -> str | None:
        """Return which work on a host comes first; None when the pool may use it."""
        phases = {each.phase for each in records if each.pool is None and name in stands_on(each)}
        if phases & _STARTING:
            return "a session is starting, or waits for a place"
        since = self._measured_since.get(name) if phases & _MEASURED else None
        # A clock that was set back must not stop the pool.
        if since is not None and timedelta(0) <= utc_now() - since < PATIENCE:
            return "a session is being scanned or removed"
        return None

    def pause(self, stock: Stock, name: str, records: Iterable[SessionRecord]) -> str | None:
        """Return why a stock rests after a failure; None when the next may be prepared."""
        failed = [each for each in records if is_of(each, stock, name) and _has_failed(each)]
        if not failed:
            return None
        last = max(failed, key=lambda each: each.ended_at or each.created_at)
        pause = min(FIRST_PAUSE * 2 ** min(len(failed) - 1, 10), LONGEST_PAUSE)
        left = ((last.ended_at or last.created_at) + pause - utc_now()).total_seconds()
        # A clock that was set back must not stop the pool.
        if 0 < left <= pause.total_seconds():
            return f"the last one was dropped, next try in {left:.0f} s: {last.reason}"
        return None


def is_of(record: SessionRecord, stock: Stock, name: str) -> bool:
    """Whether a session is of a stock, and stands on a host."""
    is_alike = record.pool is not None and (record.template, record.seed) == (stock.template, stock.seed)
    return is_alike and name in stands_on(record)


def _has_failed(record: SessionRecord) -> bool:
    return record.pool is PoolState.DROPPED and record.drop_cause in _FAILURES
