"""The connection to the orchestrator: no request meets the end of the connection that it uses."""

import uvicorn

from approval_api.orchestrator.client import IDLE_SECONDS, OrchestratorClient


async def test_an_idle_connection_is_given_up_well_before_the_orchestrator_closes_it():
    assert uvicorn.Config("app").timeout_keep_alive >= 2 * IDLE_SECONDS
    async with OrchestratorClient("http://orchestrator", "token") as client:
        assert client._http._transport._pool._keepalive_expiry == IDLE_SECONDS
