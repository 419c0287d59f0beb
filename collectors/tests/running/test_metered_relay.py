"""The relay that keeps a library to the run's packet rate."""

import asyncio
import socket

from listening import listening

from discovery_collectors.running.metered_relay import MeteredRelay
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import Scope

HERE = Scope.parse(["127.0.0.1"]).admit("127.0.0.1")


async def test_a_large_answer_is_acknowledged_no_faster_than_its_packets_have_turns():
    sent = 0

    async def pour(reader, writer):
        nonlocal sent
        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        writer.transport.set_write_buffer_limits(0)
        while True:
            writer.write(bytes(1400))
            await writer.drain()
            sent += 1400

    async with listening(pour) as port, MeteredRelay(PacketRate(20), (HERE, port)) as relay:
        reader, writer = await asyncio.open_connection(*relay.listens_at)
        received = len(await reader.readexactly(20 * 1400))
        # What lies in the buffers of both ends, whatever the service has to say.
        assert sent - received < 40_000
        writer.close()


async def test_keeps_why_a_connection_leads_nowhere():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    async with MeteredRelay(PacketRate(1000), (HERE, closed)) as relay:
        reader, writer = await asyncio.open_connection(*relay.listens_at)
        assert await reader.read() == b""
        assert "Connect call failed" in relay.failure or "refused" in relay.failure
        writer.close()


async def test_what_is_kept_of_connections_does_not_grow_with_their_number():
    async def greet(reader, writer):
        writer.write(b"hello")
        writer.close()

    async with listening(greet) as port, MeteredRelay(PacketRate(None), (HERE, port)) as relay:
        for _ in range(20):
            reader, writer = await asyncio.open_connection(*relay.listens_at)
            assert await reader.read() == b"hello"
            writer.close()
            await asyncio.sleep(0.01)
        assert len(relay._writers) <= 6


async def test_whoever_never_reads_keeps_no_socket_after_the_end():
    gone = asyncio.Event()

    async def deaf(reader, writer):
        writer.transport.pause_reading()
        await gone.wait()
        writer.transport.abort()

    async with listening(deaf) as port:
        async with MeteredRelay(PacketRate(None), (HERE, port)) as relay:
            _, writer = await asyncio.open_connection(*relay.listens_at)
            writer.write(bytes(20_000_000))
            await asyncio.sleep(0.5)
            far = relay._writers[1]
            assert far.transport.get_write_buffer_size()
        await asyncio.sleep(0.05)
        assert far.transport.get_extra_info("socket").fileno() == -1
        gone.set()
        writer.transport.abort()
