"""A host that answers as seven kinds of servers do, to write down who offers it which credential."""

import asyncio
import signal
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress

import http_basic
import ldap
import mongodb
import mysql
import postgresql
import redis
import snmp

PATIENCE_SECONDS = 60
MOST_LINE = 16_384
LOCAL = "127.0.0.1"
"""Where the health check comes from."""

NOT_OF_THE_PROTOCOL = (
    OSError,
    TimeoutError,
    EOFError,
    ValueError,
    IndexError,
    RuntimeError,
    struct.error,
    asyncio.LimitOverrunError,
)

type Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]

PORTS: dict[int, Serve] = {
    389: ldap.serve,
    3306: mysql.serve,
    5432: postgresql.serve,
    6379: redis.serve,
    8080: http_basic.serve,
    27017: mongodb.serve,
}
SNMP_PORT = 161


def answering(serve: Serve) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")[0]
        if peer != LOCAL:
            print(f"connection from {peer}", flush=True)
        # What does not speak the protocol gets no further answer.
        with suppress(*NOT_OF_THE_PROTOCOL):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await serve(reader, writer, peer)
        with suppress(OSError):
            writer.close()

    return answer


async def main(offset: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    for port, serve in PORTS.items():
        await asyncio.start_server(answering(serve), "0.0.0.0", port + offset, limit=MOST_LINE)  # noqa: S104
    await loop.create_datagram_endpoint(snmp.Agent, ("0.0.0.0", SNMP_PORT + offset))  # noqa: S104
    print("ready", flush=True)
    await stop.wait()


def run(offset: int = 0) -> None:
    """Serve until SIGTERM; every port is moved by `offset`."""
    asyncio.run(main(offset))
