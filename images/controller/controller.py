"""A serial gateway with Modbus: four connections fit into its memory, the fifth makes it start again.

A closed connection keeps its place for a while, as in small TCP stacks that wait for late segments.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

MODBUS_PORT = 502
SERIAL_PORTS = (4001, 4002, 4003, 4004)
PLACES = 4
LINGER_SECONDS = 2.0
BOOT_SECONDS = 3.0
PATIENCE_SECONDS = 120
LOCAL = "127.0.0.1"
"""Where the health check comes from; it takes no place."""
READ_HOLDING_REGISTERS, READ_DEVICE_IDENTIFICATION = 0x03, 0x2B
ILLEGAL_FUNCTION = 0x01
OBJECTS = (b"Pineharbour Controls", b"PG-4", b"2.1")
HEADING_BYTES, MOST_BYTES = 7, 253


type Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Device:
    """What the ports share: places for connections, and the power switch."""

    def __init__(self) -> None:
        self.taken = 0
        self.servers: list[asyncio.Server] = []
        self.writers: set[asyncio.StreamWriter] = set()
        self.restarting = asyncio.Event()

    async def open_ports(self) -> None:
        for port in (MODBUS_PORT, *SERIAL_PORTS):
            serve = self.modbus if port == MODBUS_PORT else self.serial
            self.servers.append(await asyncio.start_server(serve, "0.0.0.0", port))  # noqa: S104  as it is meant

    async def run(self) -> None:
        """Serve, and start again whenever there is one connection too many."""
        while True:
            self.taken = 0
            self.restarting = asyncio.Event()
            await self.open_ports()
            print("ready", flush=True)
            await self.restarting.wait()
            for server in self.servers:
                server.close()
            for writer in self.writers:
                writer.transport.abort()
            self.servers.clear()
            self.writers.clear()
            await asyncio.sleep(BOOT_SECONDS)

    async def modbus(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.take_place(answer_requests, reader, writer)

    async def serial(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.take_place(keep_silent, reader, writer)

    async def take_place(
        self, serve: Serve, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        restarting, peer = self.restarting, writer.get_extra_info("peername")[0]
        counts = peer != LOCAL
        if counts:
            print(f"connection from {peer}", flush=True)
            self.taken += 1
            if self.taken > PLACES and not restarting.is_set():
                print(f"restart: connection {self.taken} of {PLACES} from {peer}", flush=True)
                restarting.set()
        self.writers.add(writer)
        with suppress(TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await serve(reader, writer)
        self.writers.discard(writer)
        writer.close()
        if counts:
            await asyncio.sleep(LINGER_SECONDS)
            if restarting is self.restarting:
                self.taken -= 1


async def answer_requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer Modbus over TCP; what is no frame of it gets no answer, as on many a device."""
    while True:
        heading = await reader.readexactly(HEADING_BYTES)
        size = int.from_bytes(heading[4:6]) - 1
        if heading[2:4] != bytes(2) or not 0 < size <= MOST_BYTES:
            await keep_silent(reader, writer)
            return
        request = await reader.readexactly(size)
        answer = answer_to(request)
        writer.write(heading[:4] + (len(answer) + 1).to_bytes(2) + heading[6:] + answer)
        await writer.drain()


def answer_to(request: bytes) -> bytes:
    function = request[0]
    if function == READ_HOLDING_REGISTERS and len(request) == 5:
        registers = min(int.from_bytes(request[3:5]), 125)
        return bytes([function, 2 * registers]) + bytes(2 * registers)
    if function == READ_DEVICE_IDENTIFICATION and request[1:2] == b"\x0e":
        objects = b"".join(bytes([number, len(text)]) + text for number, text in enumerate(OBJECTS))
        return bytes([function, 0x0E, 1, 1, 0, 0, len(OBJECTS)]) + objects
    return bytes([function | 0x80, ILLEGAL_FUNCTION])


async def keep_silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Pass everything on to a machine that does not answer."""
    while await reader.read(4096):
        pass


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    device = asyncio.create_task(Device().run())
    await asyncio.wait((device, asyncio.ensure_future(stop.wait())), return_when=asyncio.FIRST_COMPLETED)


if __name__ == "__main__":
    asyncio.run(main())
