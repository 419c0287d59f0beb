"""People with roles, signed in with cookies as browsers do."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from argon2 import PasswordHasher

from approval_api.people import bootstrap
from approval_api.people.passwords import Passwords
from approval_api.people.roles import Role

PASSWORD = "several words of nobody"


class Browser:
    """One person's cookies, and what their pages know."""

    def __init__(self, client: httpx2.AsyncClient, name: str) -> None:
        self.client = client
        self.name = name
        self.csrf = ""

    async def ask(self, method: str, path: str, **kwargs: Any) -> httpx2.Response:
        headers = {"X-CSRF-Token": self.csrf, **kwargs.pop("headers", {})}
        return await self.client.request(method, f"/api/v1{path}", headers=headers, **kwargs)

    async def sign_in(self, password: str = PASSWORD) -> httpx2.Response:
        answer = await self.ask("POST", "/login", json={"name": self.name, "password": password})
        if answer.status_code == 200:
            self.csrf = answer.json()["csrf"]
        return answer


@pytest.fixture
async def browsers(api: Any, engine: Any) -> AsyncIterator[Any]:
    """Give `await browsers("ada", Role.VIEWER)`: somebody new who took an invitation and is signed in."""
    # As safe as the real one for what is tested here, and a hundred times faster.
    api.app.state.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    async with AsyncExitStack() as exits:

        async def open_browser(name: str = "") -> Browser:
            client = httpx2.AsyncClient(base_url=api.client.base_url, timeout=10, trust_env=False)
            return Browser(await exits.enter_async_context(client), name)

        async def make(name: str, *roles: Role) -> Browser:
            browser = await open_browser(name)
            if not roles:
                return browser
            async with engine.begin() as connection:
                path = await bootstrap.invite(connection, name, roles, only_first=False)
            assert path is not None
            taken = await browser.ask(
                "POST",
                "/invitations/taken",
                json={"secret": path.partition("=")[2], "password": PASSWORD},
            )
            assert taken.status_code == 200, taken.text
            browser.csrf = taken.json()["csrf"]
            return browser

        yield make
