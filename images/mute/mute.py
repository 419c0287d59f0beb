"""Accepts connections, reads and never answers: a client that waits for a banner waits in vain."""

import asyncio
import signal
from contextlib import suppress

PORT = 7070
PATIENCE_SECONDS = 600
"""Longer than a scanner should wait; no client can hold a connection for ever."""


async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await reader.read(4096):
                pass
    writer.close()


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await asyncio.start_server(keep_silent, "0.0.0.0", PORT)  # noqa: S104  others are meant to reach it
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
