"""Knows one request, STATUS, and dies of any other: the parser of many a device trusts what it is sent."""

import asyncio
import os
import signal
import sys
from contextlib import suppress

PORT = 20000
PATIENCE_SECONDS = 60
LOCAL = "127.0.0.1"
"""Where the health check comes from; its connections are no news."""
DIED = 134
"""The exit code of a program that aborted."""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    peer = writer.get_extra_info("peername")[0]
    if peer != LOCAL:
        print(f"connection from {peer}", flush=True)
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while request := await reader.read(64):
                if request != b"STATUS\n":
                    print(f"fatal: bad frame from {peer}: {request!r}", file=sys.stderr, flush=True)
                    os._exit(DIED)
                writer.write(b"PUMP 2 RUNNING 21.4\n")
                await writer.drain()
    writer.close()


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await asyncio.start_server(serve, "0.0.0.0", PORT)  # noqa: S104  others are meant to reach it
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
