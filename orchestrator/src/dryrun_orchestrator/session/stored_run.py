"""A collector's run as it is stored: its lines become events, and how it ended becomes the last of them.

Every line is stored with the number up to which the run was read, in one transaction.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dryrun_contract.discovery import CollectorLine, DiscoveryLine, ProgressLine, WarningLine
from dryrun_contract.event import (
    CollectorEnded,
    CollectorProgressed,
    CollectorWarned,
    DiscoveryReported,
    EventData,
)
from dryrun_orchestrator.journal.records import RunRecord
from dryrun_orchestrator.session.collector_lines import OutputTally
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.line_queue import NumberedLine

MAX_WARNING_EVENTS = 100
"""Further warnings of a run are counted and not reported."""
PROGRESS_SECONDS = 0.3


@dataclass(slots=True)
class Ending:
    """How a run ended."""

    tally: OutputTally
    exit_code: int | None
    truncated: bool
    reason: str | None


class StoredRun:
    """One run, as far as it was read."""

    def __init__(self, context: SessionContext, record: RunRecord) -> None:
        self._context = context
        self.record = record
        self._progress_at = 0.0
        self._reported_all_done = False

    async def add(self, batch: Sequence[NumberedLine]) -> None:
        """Store lines in order; those that are stored already are skipped."""
        run = self.record
        batch = [line for line in batch if line.number > run.lines]
        if not batch:
            return
        events: list[EventData] = []
        for number, line in batch:
            word = line.word
            if isinstance(word, DiscoveryLine):
                run = replace(run, discoveries=run.discoveries + 1)
            elif isinstance(word, WarningLine):
                run = replace(run, warnings=run.warnings + 1)
            event = self._event(run, number, word)
            if event is not None:
                events.append(event)
        self.record = replace(run, lines=batch[-1].number)
        await self._context.journal.put_run(self._context.id, self.record, *events)
        self._context.kinds.add(
            event.discovery.kind for event in events if isinstance(event, DiscoveryReported)
        )

    def _event(self, run: RunRecord, number: int, word: CollectorLine | WarningLine) -> EventData | None:
        match word:
            case DiscoveryLine():
                return DiscoveryReported(
                    collector=run.collector, run=run.run, line=number, discovery=word.discovery()
                )
            case WarningLine() if run.warnings <= MAX_WARNING_EVENTS:
                return CollectorWarned(
                    collector=run.collector, run=run.run, line=number, message=word.message
                )
            case ProgressLine() if self._progress_is_due(word):
                return CollectorProgressed(
                    collector=run.collector,
                    run=run.run,
                    done=word.done,
                    total=word.total,
                    message=word.message,
                )
            case _:
                return None

    def _progress_is_due(self, word: ProgressLine) -> bool:
        now, all_done = time.monotonic(), word.done == word.total
        # The last step is reported at once, but once: a hostile collector may write it again and again.
        is_last_step = all_done and not self._reported_all_done
        if now - self._progress_at < PROGRESS_SECONDS and not is_last_step:
            return False
        self._progress_at, self._reported_all_done = now, all_done
        return True


def given_up(run: RunRecord, reason: str, *, truncated: bool = False) -> CollectorEnded:
    """Return the final event of a run whose container did not end by itself, as far as it is known."""
    return end_of(run, Ending(OutputTally(warnings=run.warnings), None, truncated, reason))


def end_of(run: RunRecord, ending: Ending) -> CollectorEnded:
    """Return the final event of a run."""
    return CollectorEnded(
        collector=run.collector,
        run=run.run,
        complete=ending.reason is None,
        truncated=ending.truncated,
        discoveries=run.discoveries,
        warnings=ending.tally.warnings,
        lines=run.lines,
        exit_code=ending.exit_code,
        reason=ending.reason,
    )
