"""The connection to the orchestrator: no request meets the end of the connection that it uses."""

import ssl

import pytest
import uvicorn

from approval_api.orchestrator.client import IDLE_SECONDS, OrchestratorClient


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
