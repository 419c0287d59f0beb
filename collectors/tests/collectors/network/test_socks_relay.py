import asyncio
import socket
import struct
import time
from contextlib import suppress

import pytest
from listening import listening

from discovery_collectors.collectors.network.socks_relay import SocksRelay
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import Scope

LOOPBACK = Scope.parse(["127.0.0.1"])
GRANTED, REFUSED = 0x5A, 0x5B


async def echo(reader, writer):
    while chunk := await reader.read(100):
        writer.write(chunk)
    writer.close()


def request(address: str, port: int, *, version=4, command=1) -> bytes:
    return struct.pack("!BBH4s", version, command, port, socket.inet_aton(address)) + b"\0"


async def through(relay: SocksRelay, asked: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(relay.url.rpartition(":")[2]))
    writer.write(asked)
    return reader, writer


async def test_passes_on_both_ways_until_the_client_has_ended():
    async with listening(echo) as port, SocksRelay(PacketRate(None), LOOPBACK) as relay:
        reader, writer = await through(relay, request("127.0.0.1", port))
        assert (await reader.readexactly(8))[1] == GRANTED
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_a_connection_that_nmap_gives_up_is_closed_however_long_the_service_holds_it():
    ended = asyncio.Event()

    async def hold(reader, writer):
        await reader.read()
        await ended.wait()
        writer.close()

    async with listening(hold) as port, SocksRelay(PacketRate(None), LOOPBACK) as relay:
        reader, writer = await through(relay, request("127.0.0.1", port))
        await reader.readexactly(8)
        serving = asyncio.gather(*relay._open)
        writer.close()
        try:
            await asyncio.wait_for(serving, 2)
        finally:
            ended.set()


async def test_refuses_a_port_that_is_closed():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    async with SocksRelay(PacketRate(None), LOOPBACK) as relay:
        reader, writer = await through(relay, request("127.0.0.1", closed))
        assert (await reader.readexactly(8))[1] == REFUSED
        writer.close()


@pytest.mark.parametrize("scope", [["198.18.0.0/24"], ["127.0.0.0/30"]])
async def test_connects_to_nothing_outside_the_scope(scope):
    reached = []

    async def serve(reader, writer):
        reached.append(1)
        writer.close()

    excluded = Scope.parse(scope, ["127.0.0.1"])
    async with listening(serve) as port, SocksRelay(PacketRate(None), excluded) as relay:
        reader, writer = await through(relay, request("127.0.0.1", port))
        assert await reader.read() == b""
        writer.close()
    assert reached == []


@pytest.mark.parametrize(
    "asked",
    [request("127.0.0.1", 1, version=5), request("127.0.0.1", 1, command=2), b"\x04\x01" + b"a" * 200],
)
async def test_ends_a_request_that_is_none(asked):
    async with SocksRelay(PacketRate(None), LOOPBACK) as relay:
        reader, writer = await through(relay, asked)
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()


async def test_pays_for_every_packet_of_a_connection():
    async with listening(echo) as port, SocksRelay(PacketRate(20), LOOPBACK) as relay:
        begun = time.monotonic()
        reader, writer = await through(relay, request("127.0.0.1", port))
        await reader.readexactly(8)
        for _ in range(5):
            writer.write(b"x")
            await reader.readexactly(1)
        # Four of the connection, five sent, and four acknowledged before the last.
        assert time.monotonic() - begun > 12 / 20
        writer.close()
