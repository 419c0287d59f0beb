"""A telemetry console on a slow line: greeting and answers arrive one byte at a time."""

import asyncio
import signal
from contextlib import suppress

PORT = 7700
SECONDS_PER_BYTE = 1.0
PATIENCE_SECONDS = 600
"""No client can hold a connection for ever."""
GREETING = b"TIDE GAUGE 7 READY\r\n"
ANSWER = b"UNKNOWN COMMAND\r\n"


async def say(writer: asyncio.StreamWriter, words: bytes) -> None:
    for byte in words:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(SECONDS_PER_BYTE)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await say(writer, GREETING)
            while await reader.read(4096):
                await say(writer, ANSWER)
    writer.close()


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await asyncio.start_server(serve, "0.0.0.0", PORT)  # noqa: S104  others are meant to reach it
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
