"""A user who only wants to work, from another address: signs in and views the overview, repeatedly."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
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
        self.calm: list[float] = []
        """How many seconds signing in took before each block of `at_work`."""

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
            before = Experience()
            await self._sign_in(before, client)
            assert not before.failures, before.failures
            self.calm += before.sign_ins
            over = asyncio.Event()
            tasks = [
                asyncio.create_task(self._signing_in(experience, over)),
                asyncio.create_task(self._looking(experience, client, over, 0.1 if overviews else 0.2)),
            ]
            try:
                yield experience
                while len(experience.overviews) < overviews and not experience.failures:
                    await self._look(experience, client)
            finally:
                # What is under way counts as well: a wait without an end would be missed.
                over.set()
                await asyncio.gather(*tasks)

    async def _sign_in(self, experience: Experience, client: httpx2.AsyncClient) -> None:
        begun = time.monotonic()
        try:
            answer = await client.post("/api/v1/login", json={"name": NAME, "password": PASSWORD})
            if not answer.is_success:
                experience.failures.append(f"sign-in: {answer.status_code} {answer.text[:200]}")
        except httpx2.HTTPError as error:
            experience.failures.append(f"sign-in: {error!r}")
        experience.sign_ins.append(time.monotonic() - begun)

    async def _signing_in(self, experience: Experience, over: asyncio.Event) -> None:
        while not over.is_set():
            begun = time.monotonic()
            async with self._client() as client:  # a connection of its own, as a browser has
                await self._sign_in(experience, client)
                try:
                    await client.post("/api/v1/logout", headers={"Origin": self._url})
                except httpx2.HTTPError as error:
                    experience.failures.append(f"sign-out: {error!r}")
            await _rest(over, begun + 1)

    async def _looking(
        self, experience: Experience, client: httpx2.AsyncClient, over: asyncio.Event, seconds: float
    ) -> None:
        while not over.is_set():
            begun = time.monotonic()
            await self._look(experience, client)
            await _rest(over, begun + seconds)

    async def _look(self, experience: Experience, client: httpx2.AsyncClient) -> None:
        begun = time.monotonic()
        try:
            answer = await client.get("/", headers={"Accept": "text/html"})
            if answer.status_code != 200:
                experience.failures.append(f"overview: {answer.status_code} {answer.text[:200]}")
        except httpx2.HTTPError as error:
            experience.failures.append(f"overview: {error!r}")
        experience.overviews.append(time.monotonic() - begun)


async def _rest(over: asyncio.Event, until: float) -> None:
    """Wait until `until`, or until all is over."""
    with suppress(TimeoutError):
        await asyncio.wait_for(over.wait(), max(0.0, until - time.monotonic()))


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
