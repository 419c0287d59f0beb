"""What earlier collectors found, handed over on standard input to one that stands by."""

import asyncio
import os
import stat
from typing import BinaryIO

from discovery_collectors.collector import CollectorError
from dryrun_contract.collector_config import MAX_INPUT_BYTES, from_input
from dryrun_contract.discovery import Discovery


async def take_discoveries(source: BinaryIO) -> tuple[Discovery, ...]:
    """Return the discoveries of the first line of input that holds some; others are skipped.

    Waits for as long as it takes: whoever started the collector has a deadline. Then there is no input any
    more, as without it: were its descriptor closed, the next socket would be standard input. Raises
    CollectorError when the input ends first, a line is too long, or nobody can write to it.
    """
    if not stat.S_ISFIFO(os.fstat(source.fileno()).st_mode):  # of others, an event loop never hears
        raise CollectorError("standard input is not the pipe that the discoveries are to come on")
    reader = asyncio.StreamReader(limit=MAX_INPUT_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(source.fileno()), "rb", buffering=0)
    )
    try:
        while line := await reader.readline():
            if (found := from_input(line)) is not None:
                return found
    except ValueError:
        raise CollectorError(f"a line on standard input is longer than {MAX_INPUT_BYTES} bytes") from None
    finally:
        transport.close()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, source.fileno())
        os.close(nothing)
    raise CollectorError("standard input ended before the discoveries came that this collector waits for")
