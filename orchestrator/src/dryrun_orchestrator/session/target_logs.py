"""Reads what the collectors left in the targets' logs: what a SIEM would see. Runs after the collectors."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import get_args

from dryrun_contract.event import LogPattern, SideEffect, TargetLogs, TargetLogsMeasured
from dryrun_contract.log_patterns import LOG_PATTERNS
from dryrun_contract.text import printable
from dryrun_orchestrator.catalog.template import LoadedService
from dryrun_orchestrator.engine.errors import EngineError, NotFoundError
from dryrun_orchestrator.journal.records import TargetRecord
from dryrun_orchestrator.readers.line_splitter import LineSplitter
from dryrun_orchestrator.session.container_specs import TARGET_LIMITS
from dryrun_orchestrator.session.context import SessionContext
from dryrun_orchestrator.session.log_lines import LINE_BYTES, Culprits, LogTally

READ_BYTES = 4 * 1024 * 1024
"""Most read of one target's log; a longer one is reported as truncated."""
READ_SECONDS = 10.0
"""Per target; what was read until then counts."""
_BATCH_LINES = 2000
_STAMP_BYTES = 64
_STORED_AS_THEY_ARE = bytes({*range(0x20, 0x7F), 0x0A} - {*b'"\\<>&'})
_SECRET_KEYS = ("PASSWORD", "SECRET", "TOKEN")


async def measure_logs(context: SessionContext) -> TargetLogsMeasured | None:
    """Return the measurement of the targets' logs; None when no collector ran in this process."""
    if not context.spans:
        return None
    culprits = Culprits(context.spans)
    since = min(span.started for span in context.spans)
    targets = await context.journal.targets(context.id)
    services = {service.name: service for service in context.template.services}
    read = await asyncio.gather(
        *(
            _measure(context, target, services[name], culprits, since)
            for name, target in targets.items()
            if name in services
        )
    )
    return TargetLogsMeasured(targets=dict(sorted(read)))


async def _measure(
    context: SessionContext,
    target: TargetRecord,
    service: LoadedService,
    culprits: Culprits,
    since: datetime,
) -> tuple[str, TargetLogs]:
    patterns = _patterns(service.image.log_patterns)
    effects = _side_effects(service.image.log_patterns)
    tally = LogTally(patterns, culprits, _secrets(context, service), effects)
    notes: list[str] = []
    truncated = unreadable = False
    try:
        async with context.starts, asyncio.timeout(READ_SECONDS):
            truncated = await _read(context, target, since, tally)
    except TimeoutError:
        truncated = True
    except NotFoundError:
        notes.append("its container was removed by somebody else: nothing can be read")
        unreadable = True
    except EngineError as error:
        notes.append(f"its log could not be read to the end: {printable(str(error))}")
        truncated = True
    if target.harm in ("died", "out_of_memory"):
        notes.append("it died during the scan: its log ends there")
    if tally.given_up:
        notes.append(f"patterns that took too long were given up: {', '.join(tally.given_up)}")
    if context.spans_lost:
        notes.append("the orchestrator was restarted during the scan: lines from before that are left out")
    counts: dict[LogPattern, int | None] = dict.fromkeys(_patterns(LOG_PATTERNS))
    counts |= {} if unreadable else tally.counts()
    not_searched = tuple(name for name in patterns if counts[name] is None)
    logs = TargetLogs(
        counts=counts,
        not_searched=not_searched,
        side_effects=dict.fromkeys(effects) if unreadable else tally.side_effects(),
        lines=tally.lines(),
        by_collectors=tally.of_collectors(),
        truncated=truncated,
        note="; ".join(notes) or None,
    )
    return target.service, logs


async def _read(context: SessionContext, target: TargetRecord, since: datetime, tally: LogTally) -> bool:
    """Read a log into `tally`; return whether it was read in part, or may have lost its beginning."""
    limit = LINE_BYTES + _STAMP_BYTES
    # Standard output and error are separate; pieces of their lines may interleave.
    splitters = {"stdout": LineSplitter(limit=limit), "stderr": LineSplitter(limit=limit)}
    size = stored = 0
    lines: list[bytes] = []
    log = context.engine.read_log(target.container_id, follow=False, since=since)
    async with aclosing(log):
        async for chunk in log:
            size += len(chunk.data)
            stored += _stored_bytes(chunk.data)
            lines += splitters[chunk.stream].feed(chunk.data)
            if size > READ_BYTES:
                break
            if len(lines) >= _BATCH_LINES:
                await _take(tally, lines)
                lines = []
    for splitter in splitters.values():
        lines += splitter.finish()
    await _take(tally, lines)
    # The engine never drops anything while it keeps less than one full file.
    return size > READ_BYTES or stored >= TARGET_LIMITS.log_file_bytes


async def _take(tally: LogTally, lines: list[bytes]) -> None:
    """Count lines in a thread, which has left `tally` when this returns, also when it is cancelled."""
    taking = asyncio.get_running_loop().run_in_executor(None, tally.take, lines)
    try:
        await asyncio.shield(taking)
    except asyncio.CancelledError:
        tally.stop()
        # A line at a time: no longer than its slow patterns take to be given up.
        await asyncio.wait([taking])
        raise


def _stored_bytes(data: bytes) -> int:
    r"""Return the most that the engine needs to store these lines, which are in its form with times.

    A line is an object of JSON: 40 bytes more than its text and time, also each 16 KiB of a long one. Six
    bytes stand for a character that is escaped, and two for each byte of one that is not ASCII.

    >>> line = b"2026-01-31T09:30:00.123456789Z a<b\n"
    >>> row = rb'{"log":"a\u003cb\n","stream":"stdout","time":"2026-01-31T09:30:00.123456789Z"}' + b"\n"
    >>> 0 <= _stored_bytes(line) - len(row) < 8
    True
    """
    escaped = len(data.translate(None, _STORED_AS_THEY_ARE))
    return len(data) + len(data) // 256 + 40 * data.count(b"\n") + 5 * escaped


def _patterns(found: Mapping[str, str]) -> dict[LogPattern, str]:
    names: tuple[LogPattern, ...] = get_args(LogPattern.__value__)
    return {name: found[name] for name in names if name in found}


def _side_effects(found: Mapping[str, str]) -> dict[SideEffect, str]:
    names: tuple[SideEffect, ...] = get_args(SideEffect.__value__)
    return {name: found[name] for name in names if name in found}


def _secrets(context: SessionContext, service: LoadedService) -> Iterator[str]:
    for credential in context.template.credentials:
        yield credential.password
    for key, value in service.environment.items():
        if any(word in key for word in _SECRET_KEYS):
            yield value
