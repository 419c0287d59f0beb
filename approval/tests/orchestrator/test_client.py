"""The connection to the orchestrator: no request meets its end, and every answer has one."""

import asyncio
import ssl
from contextlib import suppress

import pytest
import uvicorn

from approval_api.orchestrator import client as client_module
from approval_api.orchestrator.client import IDLE_SECONDS, OrchestratorClient
from approval_api.orchestrator.errors import OrchestratorRefusedError, OrchestratorUnavailableError
from dryrun_contract.problem import Problem


async def test_an_idle_connection_is_given_up_well_before_the_orchestrator_closes_it():
    assert uvicorn.Config("app").timeout_keep_alive >= 2 * IDLE_SECONDS
    async with OrchestratorClient("http://orchestrator", "token") as client:
        assert client._http._transport._pool._keepalive_expiry == IDLE_SECONDS


@pytest.mark.parametrize(("scheme", "times"), [("http", 0), ("https", 1)])
def test_certificates_are_read_only_where_there_is_tls(scheme, times, monkeypatch):
    read = []
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_, **__: read.append(1))
    OrchestratorClient(f"{scheme}://orchestrator", "token")
    assert len(read) == times


async def test_an_answer_that_arrives_byte_by_byte_ends(monkeypatch):
    async def drip(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        with suppress(OSError):
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)

    # The whole answer has 0.3 s here.
    monkeypatch.setattr(client_module, "WHOLE_SECONDS", 0.3 - client_module.SILENCE_SECONDS)
    async with asyncio.timeout(5), await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with OrchestratorClient(url, "token") as client:
            with pytest.raises(OrchestratorUnavailableError, match="does not answer"):
                await client.pool()
        server.close_clients()


@pytest.mark.parametrize("status", [418, 499, 599])
def test_a_problem_of_any_status_is_passed_on(status):
    problem = Problem(title="Odd", status=status, detail="as it is")
    assert OrchestratorRefusedError(problem).problem == problem
