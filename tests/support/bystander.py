"""A user who only wants to work, from another address: signs in and views the overview, repeatedly."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
from local_stack import Stack
from sqlalchemy.ext.asyncio import create_async_engine

from approval_api.identity.roles import Role
from approval_api.people import bootstrap

NAME, PASSWORD = "bystander", "a password nobody will guess 9"
ADDRESS = "127.0.0.2"


def p99(seconds: list[float]) -> float:
    """Return the value that 99 of 100 do not exceed; the largest of fewer than a hundred."""
    return sorted(seconds)[max(0, -(-len(seconds) * 99 // 100) - 1)]


@dataclass
class Experience:
    """How long each request took, in seconds, and what went wrong."""

    sign_ins: list[float] = field(default_factory=list)
    overviews: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Bystander:
    """A viewer with a password; see `invited`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def _client(self) -> httpx2.AsyncClient:
        # Without TLS: to read certificates would hold up what is measured, every second.
        transport = httpx2.AsyncHTTPTransport(verify=False, local_address=ADDRESS, retries=0)
        return httpx2.AsyncClient(base_url=self._url, transport=transport, timeout=30, trust_env=False)

    async def take(self, invitation: str) -> None:
        """Accept the invitation by setting a password."""
        secret = invitation.partition("secret=")[2]
        async with self._client() as client:
            answer = await client.post(
                "/api/v1/invitations/taken", json={"secret": secret, "password": PASSWORD}
            )
            assert answer.is_success, answer.text

    @asynccontextmanager
    async def at_work(self, overviews: int = 0) -> AsyncIterator[Experience]:
        """Look at the overview five times a second, signed in already, and sign in anew every second.

        If `overviews` are wanted, looks ten times a second, and after the block without a pause until so many
        were seen.
        """
        experience = Experience()
        async with self._client() as client:
            answer = await self._sign_in(client)
            assert answer.is_success, answer.text
            tasks = [
                asyncio.create_task(self._signing_in(experience)),
                asyncio.create_task(self._looking(experience, client, 0.1 if overviews else 0.2)),
            ]
            try:
                yield experience
                while len(experience.overviews) < overviews and not experience.failures:
                    await self._look(experience, client)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _sign_in(self, client: httpx2.AsyncClient) -> httpx2.Response:
        return await client.post("/api/v1/login", json={"name": NAME, "password": PASSWORD})

    async def _signing_in(self, experience: Experience) -> None:
        while True:
            begun = time.monotonic()
            try:
                async with self._client() as client:  # a connection of its own, as a browser has
                    answer = await self._sign_in(client)
                    if not answer.is_success:
                        experience.failures.append(f"sign-in: {answer.status_code} {answer.text[:200]}")
                    experience.sign_ins.append(time.monotonic() - begun)
                    await client.post("/api/v1/logout", headers={"Origin": self._url})
            except httpx2.HTTPError as error:
                experience.failures.append(f"sign-in: {error!r}")
                experience.sign_ins.append(time.monotonic() - begun)
            await asyncio.sleep(max(0.0, 1 - (time.monotonic() - begun)))

    async def _looking(self, experience: Experience, client: httpx2.AsyncClient, seconds: float) -> None:
        while True:
            begun = time.monotonic()
            await self._look(experience, client)
            await asyncio.sleep(max(0.0, seconds - (time.monotonic() - begun)))

    async def _look(self, experience: Experience, client: httpx2.AsyncClient) -> None:
        begun = time.monotonic()
        try:
            answer = await client.get("/", headers={"Accept": "text/html"})
            if answer.status_code != 200:
                experience.failures.append(f"overview: {answer.status_code} {answer.text[:200]}")
        except httpx2.HTTPError as error:
            experience.failures.append(f"overview: {error!r}")
        experience.overviews.append(time.monotonic() - begun)


async def invited(stack: Stack) -> Bystander:
    """Return a bystander who may sign in to this stack."""
    engine = create_async_engine(stack.database_url)
    try:
        async with engine.begin() as connection:
            invitation = await bootstrap.invite(connection, NAME, {Role.VIEWER}, only_first=False)
    finally:
        await engine.dispose()
    assert invitation is not None
    bystander = Bystander(stack.api.url)
    await bystander.take(invitation)
    return bystander
