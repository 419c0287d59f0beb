"""What answers at the API's address may be anything: no more of it is read than an answer can have."""

import dataclasses

import httpx2
import pytest

from dryrun_cli.api import client as client_module
from dryrun_cli.api.client import ApiClient
from dryrun_cli.errors import ApiUnreachableError

PIECE = b" " * 64 * 1024
LIMIT = 1024 * 1024


class Endless(httpx2.AsyncByteStream):
    def __init__(self):
        self.sent = 0

    async def __aiter__(self):
        while self.sent < 64 * LIMIT:
            self.sent += len(PIECE)
            yield PIECE


@pytest.fixture
def limits(monkeypatch):
    bounds = dataclasses.replace(client_module.ANSWER_BOUNDS, size=LIMIT)
    monkeypatch.setattr(client_module, "ANSWER_BOUNDS", bounds)
    monkeypatch.setattr(client_module, "DOCUMENT_BYTES", LIMIT)


async def follow(client):
    async with client.event_stream("2b1c", ""):
        pass


@pytest.mark.parametrize(
    ("status", "request_it"),
    [
        (200, lambda client: client.templates()),
        (403, lambda client: client.templates()),
        (503, lambda client: client.templates()),
        (200, lambda client: client.fetch("/production/deliveries/1/file", {})),
        (200, lambda client: client.written_report("2b1c", "html")),
        (503, follow),
    ],
)
async def test_an_answer_without_end_is_read_to_its_bound_and_no_further(limits, status, request_it):
    endless = Endless()
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, stream=endless))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as http:
        with pytest.raises(ApiUnreachableError, match=f"longer than {LIMIT} bytes"):
            await request_it(ApiClient(http))
    assert endless.sent <= LIMIT + len(PIECE)


async def test_an_answer_as_long_as_its_bound_is_read(limits):
    body = b"[]" + b" " * (LIMIT - 2)
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=body))
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as http:
        assert await ApiClient(http).ask("GET", "/dryrun/templates") == []
