"""A real provider of OpenID Connect beside the tests, an API that trusts it, and a browser."""

import httpx2
import pytest
from oidc_provider_mock import run_server_in_thread
from provider_people import EVE, ZOE
from pydantic import SecretStr

from approval_api.app import create_app


@pytest.fixture(scope="module")
def provider():
    with run_server_in_thread(require_nonce=True, user_claims=[ZOE, EVE]) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
async def api(settings, orchestrator, serving, provider):
    openid = {
        "oidc_issuer": provider,
        "oidc_client_id": "approval",
        "oidc_client_secret": SecretStr("secret"),
        "oidc_roles": "ops=operator+viewer, leads=admin",
    }
    app = create_app(settings.model_copy(update=openid), orchestrator_transport=orchestrator)
    async with serving(app) as api:
        yield api


@pytest.fixture
async def browser(api):
    async with httpx2.AsyncClient(
        base_url=api.client.base_url, timeout=10, trust_env=False, verify=False
    ) as client:
        yield client
