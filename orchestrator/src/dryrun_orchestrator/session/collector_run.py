"""Follows one collector's output to its end: no line is lost or stored twice, and a short log is reported.

A line's identity is its number in its run. After a break the log is read from the start again, and lines that
the journal holds are skipped. After the container has ended, one complete reading settles the count.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from dryrun_contract.event import CollectorEnded
from dryrun_orchestrator.engine.errors import EngineError, NotFoundError, TransientEngineError
from dryrun_orchestrator.journal.records import RunRecord
from dryrun_orchestrator.readers.process import ReaderFailedError, ReaderProcess
from dryrun_orchestrator.session.collector_lines import ContractLines, OutputTally, Said, said
from dryrun_orchestrator.session.context import SessionContext, last_words
from dryrun_orchestrator.session.line_queue import LineQueue, NumberedLine
from dryrun_orchestrator.session.stored_run import Ending, StoredRun, end_of, given_up

MAX_VALUES = 1_000_000
"""Values in all discoveries of one run: whatever reads them all, such as a report, needs memory per value. An
ordinary discovery has about ten, and each column of a table is one."""
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.1, 2.0
"""Pause before reading again; doubled while nothing new arrives."""
REST_SECONDS = 5.0
"""How long it may take to read what an abandoned run has written."""
STDERR_BYTES = 16 * 1024
WHOLE_READINGS = 3
"""How often the log of an ended container is read before it is reported as short."""
ENDED = ("exited", "dead")
REMOVED_BY_OTHERS = "its container was removed by somebody else"


class OutputCeilingError(Exception):
    """The collector wrote more than is read; the message says which limit."""


class CollectorRun:
    """One run of one collector in one container."""

    def __init__(
        self, context: SessionContext, run: RunRecord, container_id: str, reader: str | None = None
    ) -> None:
        """Follow one container. `reader` translates its output, see ReaderProcess; None: it needs none."""
        self._context = context
        self._stored = StoredRun(context, run)
        self._container_id = container_id
        self._reader = reader
        self._first_line: str | None = None
        self._stderr = b""

    async def follow(self) -> CollectorEnded:
        """Read until the container has ended and its log was read completely; return the final event."""
        ending = await self._read_to_the_end()
        return end_of(self.record, ending)

    @property
    def record(self) -> RunRecord:
        """Return the run as far as it was read."""
        return self._stored.record

    @property
    def container_id(self) -> str:
        """Return the id of the container that is followed."""
        return self._container_id

    async def read_the_rest(self) -> bool:
        """Store what the collector has written by now; `follow` was cancelled, and may have been behind.

        Return whether it is more than may be read, or its reader failed. What cannot be read within
        REST_SECONDS is left: such a run is incomplete in any case.
        """
        try:
            async with asyncio.timeout(REST_SECONDS):
                await self._read_once(OutputTally(), follow=False, last=False)
        except (OutputCeilingError, ReaderFailedError):
            return True
        except (TimeoutError, EngineError):
            pass
        return False

    def stopped(self, reason: str, *, truncated: bool = False) -> CollectorEnded:
        """Return the final event of a run that is given up; `follow` was cancelled."""
        return given_up(self.record, self._with_last_words(reason), truncated=truncated)

    async def _read_to_the_end(self) -> Ending:
        whole_readings = 0
        ended = False
        pause = FIRST_PAUSE_SECONDS
        while True:
            tally = OutputTally()
            known = self.record.lines
            try:
                last = whole_readings == WHOLE_READINGS - 1
                await self._read_once(tally, follow=not ended, last=last)
                detail = await self._context.engine.inspect_container(self._container_id)
            except OutputCeilingError as error:
                return Ending(tally, None, truncated=True, reason=str(error))
            except ReaderFailedError as error:
                return Ending(tally, None, truncated=True, reason=f"its output could not be read: {error}")
            except NotFoundError:
                return Ending(tally, None, truncated=False, reason=REMOVED_BY_OTHERS)
            except TransientEngineError:
                self._note_first_line(tally)
                # A proxy that cuts connections now and then is not an engine that is down.
                pause = FIRST_PAUSE_SECONDS if self.record.lines > known else pause
                await asyncio.sleep(pause)
                pause = min(pause * 2, LAST_PAUSE_SECONDS)
                continue
            if self._began_anew(tally):
                return Ending(
                    tally, None, truncated=True, reason="its log was rotated, the beginning is lost"
                )
            if ended:
                whole_readings += 1
                ending = self._settle(tally, detail.exit_code)
                # A connection that ends early may look complete: a log that looks short is read again.
                if ending.reason is None or whole_readings == WHOLE_READINGS:
                    return ending
            elif detail.status in ENDED:
                ended = True
                continue
            await asyncio.sleep(pause)

    def _settle(self, tally: OutputTally, exit_code: int | None) -> Ending:
        reason: str | None
        if tally.lines < self.record.lines:
            reason = f"its log holds {tally.lines} lines, {self.record.lines} were read before"
            return Ending(tally, exit_code, truncated=True, reason=reason)
        reason = tally.why_incomplete(exit_code)
        if reason:
            reason = self._with_last_words(reason)
        return Ending(tally, exit_code, truncated=False, reason=reason)

    def _with_last_words(self, reason: str) -> str:
        words = last_words(self._stderr)
        return f"{reason}; it said last: {words}" if words else reason

    def _began_anew(self, tally: OutputTally) -> bool:
        """Return whether the log's first line changed: a rotating log lost its beginning."""
        self._note_first_line(tally)
        return tally.first_line is not None and tally.first_line != self._first_line

    def _note_first_line(self, tally: OutputTally) -> None:
        if self._first_line is None:
            self._first_line = tally.first_line

    async def _read_once(self, tally: OutputTally, *, follow: bool, last: bool) -> None:
        queue = LineQueue()

        async def read() -> None:
            try:
                await self._read_lines(tally, queue, follow=follow, last=last)
            finally:
                queue.close()

        reader = asyncio.create_task(read())
        try:
            while batch := await queue.take():
                await self._stored.add(batch)
            await reader
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read_lines(
        self,
        tally: OutputTally,
        queue: LineQueue,
        *,
        follow: bool,
        last: bool,
    ) -> None:
        if self._reader is None:
            output = ContractLines()
            async with aclosing(self._output(tally, follow=follow)) as pieces:
                async for data in pieces:
                    await self._take(output.feed(data), tally, queue)
            if last:
                # Text after the last line break may be a line that was cut; only the last reading counts it.
                await self._take(output.finish(), tally, queue)
            return
        try:
            async with ReaderProcess.start(self._reader) as process, asyncio.TaskGroup() as group:
                group.create_task(self._take_translated(process, tally, queue, last=last))
                async with aclosing(self._output(tally, follow=follow)) as pieces:
                    async for data in pieces:
                        await process.feed(data)
                await process.end()
        except* Exception as errors:  # noqa: BLE001 - each is raised again, as the one that it is
            raise errors.exceptions[0] from None

    async def _take_translated(
        self, process: ReaderProcess, tally: OutputTally, queue: LineQueue, *, last: bool
    ) -> None:
        async for lines in process.lines(whole=last):
            await self._take(map(said, lines), tally, queue)

    async def _output(self, tally: OutputTally, *, follow: bool) -> AsyncGenerator[bytes]:
        """Yield standard output from its beginning; the last of standard error is kept aside."""
        ceiling = self._context.settings.output_bytes
        stderr = b""
        log = self._context.engine.read_log(self._container_id, follow=follow)
        async with aclosing(log):
            async for chunk in log:
                if chunk.stream == "stderr":
                    stderr = (stderr + chunk.data)[-STDERR_BYTES:]
                    self._stderr = stderr
                    continue
                tally.size += len(chunk.data)
                if tally.size > ceiling:
                    raise OutputCeilingError(f"its output is longer than {ceiling} bytes")
                yield chunk.data

    async def _take(
        self,
        lines: Iterable[Said],
        tally: OutputTally,
        queue: LineQueue,
    ) -> None:
        settings = self._context.settings
        for line in lines:
            tally.count(line.word, line.values)
            if tally.discoveries > settings.output_discoveries:
                raise OutputCeilingError(f"it reports more than {settings.output_discoveries} discoveries")
            if tally.not_understood > settings.output_not_understood:
                raise OutputCeilingError(
                    f"it writes more than {settings.output_not_understood} lines that are not understood"
                )
            if tally.lines > settings.output_lines:
                raise OutputCeilingError(f"it writes more than {settings.output_lines} lines")
            if tally.values > MAX_VALUES:
                raise OutputCeilingError(f"its discoveries hold more than {MAX_VALUES} values")
            if tally.lines > self.record.lines:
                await queue.put(NumberedLine(tally.lines, line))
