"""The entrance of `discovery-collect`: runs one collector and turns how it ends into an exit code."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from discovery_collectors.collector import Collect, CollectorError
from discovery_collectors.installed import load_collector, prepare
from discovery_collectors.running.command_line import Command, read_command
from discovery_collectors.running.handed_over import take_discoveries
from discovery_collectors.running.lines import LineWriter
from dryrun_contract.text import printable

EXIT_FAILED = 1
EXIT_WRONG_CALL = 2
EXIT_SIGNAL = 128
"""Plus the signal's number, as shells count."""


def main() -> None:
    """Run the command line's collector and exit with its exit code."""
    try:
        command = read_command(sys.argv[1:], os.environ)
    except ValueError as error:
        _say(str(error))
        sys.exit(EXIT_WRONG_CALL)
    for note in command.notes:
        _say(note)
    writer = LineWriter(sys.stdout.buffer)
    for network in command.not_covered:
        writer.not_covered(network)
    try:
        for warning in command.warnings:
            writer.warning(warning)
        collect = load_collector(command.collector)
        code = asyncio.run(_run(collect, command, writer))
    except* BrokenPipeError:
        # First: what else failed may have failed for it, and is written below.
        code = EXIT_FAILED
    except* CollectorError as errors:
        for failure in _leaves(errors):
            _say(str(failure))
            with suppress(BrokenPipeError):
                writer.warning(f"the collector {command.collector} gave up: {failure}")
        code = EXIT_FAILED
    # All is written. Taking down the modules of a database client takes half a processor 0.4 s (measured),
    # and the interpreter would flush once more to a reader who may be gone.
    os._exit(code)


async def _run(collect: Collect, command: Command, writer: LineWriter) -> int:
    """Collect until the end or the first signal; only a complete run writes the end line."""
    received: list[signal.Signals] = []
    task = asyncio.ensure_future(_collect(collect, command, writer))

    def stop(number: signal.Signals) -> None:
        received.append(number)
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
        _say(f"stopped by {received[0].name}")
        return EXIT_SIGNAL + received[0]
    writer.end()
    return 0


async def _collect(collect: Collect, command: Command, writer: LineWriter) -> None:
    assignment = command.assignment
    if command.awaits_discoveries:
        prepare(command.collector)
        assignment = replace(assignment, discoveries=await take_discoveries(sys.stdin.buffer))
    await collect(assignment, writer)


def _leaves(errors: BaseExceptionGroup) -> Iterator[BaseException]:
    """Yield the errors inside nested groups."""
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _say(message: str) -> None:
    print(f"discovery-collect: {printable(message, limit=2000)}", file=sys.stderr, flush=True)  # noqa: T201  # diagnostics of a program
