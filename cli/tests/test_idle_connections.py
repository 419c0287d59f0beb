"""Connections that an API may close while a command sends its next request on them."""

import asyncio

import pytest
import uvicorn

from dryrun_cli.api import client
from dryrun_cli.api.client import IDLE_SECONDS, open_client
from dryrun_cli.api.settings import Settings


def test_an_idle_connection_is_given_up_well_before_the_api_closes_it():
    assert uvicorn.Config("app").timeout_keep_alive >= 2 * IDLE_SECONDS


@pytest.mark.parametrize(("idle", "connections"), [(0.05, 2), (5.0, 1)])
async def test_a_request_after_a_pause_gets_a_connection_of_its_own(monkeypatch, idle, connections):
    monkeypatch.setattr(client, "IDLE_SECONDS", idle)
    accepted = 0

    async def answer(reader, writer):
        nonlocal accepted
        accepted += 1
        while await reader.readuntil(b"\r\n\r\n"):
            body = b'{"templates": []}'
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            writer.write(head.encode() + b"\r\n\r\n" + body)

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with open_client(Settings(api_url=f"http://127.0.0.1:{port}")) as api:
            await api.templates()
            await asyncio.sleep(0.3)
            await api.templates()
    assert accepted == connections
