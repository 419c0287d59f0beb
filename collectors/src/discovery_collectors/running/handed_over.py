"""What earlier collectors found, handed over on standard input to one that stands by."""

import asyncio
from typing import BinaryIO

from discovery_collectors.collector import CollectorError
from dryrun_contract.collector_config import MAX_INPUT_BYTES, from_input
from dryrun_contract.discovery import Discovery


async def take_discoveries(source: BinaryIO) -> tuple[Discovery, ...]:
    """Return the discoveries of the first line of input that holds some; others are skipped.

    Waits for as long as it takes: whoever started the collector has a deadline. Raises CollectorError when
    the input ends first, or a line is too long.
    """
    reader = asyncio.StreamReader(limit=MAX_INPUT_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), source
    )
    try:
        while line := await reader.readline():
            if (found := from_input(line)) is not None:
                return found
    except ValueError:
        raise CollectorError(f"a line on standard input is longer than {MAX_INPUT_BYTES} bytes") from None
    finally:
        transport.close()
    raise CollectorError("standard input ended before the discoveries came that this collector waits for")
