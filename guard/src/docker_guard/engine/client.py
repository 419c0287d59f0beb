"""The guard's client of the engine: requests that the guard itself wrote, over kept-alive connections."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from docker_guard.leaving import Leaving
from docker_guard.refusal import EngineDownError
from docker_guard.rules.policy import ConfigurationError, Policy

OLDEST_API, NEWEST_API = (1, 44), (1, 45)
"""1.44 (Engine 25) refuses a second network of the same name and knows StartInterval."""
MAX_ANSWER_BYTES = 32 * 1024 * 1024
_LONG_ANSWER_BYTES = 32 * 1024
"""Longer answers take noticeable time to parse."""
_TAKE_OVER = ("Connection: Upgrade", "Upgrade: tcp")
_TAKEN_OVER, _LEAST_ERROR, _REFUSAL_BYTES = 101, 400, 4096
_LIMITS = {"MemoryLimit": "memory", "CpuCfsQuota": "CPU", "PidsLimit": "pids"}
"""Fields of `/info`. Not swap: many kernels do not account for it, and memory is limited without it."""


class Counts(Protocol):
    """Counts the bytes of answers while they arrive, on behalf of the client whose request needs them."""

    @property
    def key(self) -> str:
        """Return which client that is."""
        ...

    @property
    def left(self) -> Leaving:
        """Return what notices that the client left."""
        ...

    def take(self, size: int) -> None:
        """Count more bytes. Raises Refusal when they are too many."""
        ...

    def charge(self, size: int) -> None:
        """Count more bytes without a ceiling: what has been done is not refused afterwards."""
        ...

    async def turn(self) -> None:
        """Wait for the turn to parse a long answer."""
        ...

    def give_back(self, size: int) -> None:
        """Uncount bytes that are no longer held."""
        ...


ON_BEHALF_OF: ContextVar[Counts | None] = ContextVar("on_behalf_of", default=None)
"""The client on whose behalf answers are counted; None for the guard's own calls."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the engine."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON. Raises EngineDownError if it is not: success is always JSON here."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise EngineDownError("the engine's answer is not JSON") from None

    @property
    def message(self) -> str:
        """Return the text of an error; empty without one."""
        try:
            return str(json.loads(self.body)["message"])
        except (ValueError, KeyError, TypeError):
            return ""


class Engine:
    """One Docker Engine. Every call has a deadline; calls raise only EngineDownError."""

    def __init__(self, docker: str, policy: Policy, tls: ssl.SSLContext | None = None) -> None:
        """Take `unix:///path` or `tcp://host:port`, with TLS or without; the first call connects."""
        scheme, _, place = docker.partition("://")
        if scheme not in ("unix", "tcp") or not place:
            raise ConfigurationError(f"--docker is {docker!r}; expected unix:///PATH or tcp://HOST:PORT")
        self._is_unix = scheme == "unix"
        self._place = place
        self._tls = tls
        self._seconds = policy.engine_seconds
        self._session: aiohttp.ClientSession | None = None
        self._api: str | None = None

    async def api(self) -> str:
        """Return the API version used with this engine, e.g. `1.45`."""
        if self._api is None:
            reply = await self._exchange("GET", "/version")
            if reply.status != 200:
                raise EngineDownError(f"GET /version: the engine answered {reply.status}", may_land=False)
            newest = tuple(map(int, reply.json()["ApiVersion"].split(".")))
            if newest < OLDEST_API:
                raise EngineDownError(
                    f"the engine's API is {dotted(newest)}; {dotted(OLDEST_API)} is the oldest that is safe"
                )
            self._api = dotted(min(newest, NEWEST_API))
        return self._api

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        seconds: float = 0,
    ) -> Reply:
        """Make one call; `seconds` extend the usual deadline."""
        reply = await self._exchange(method, f"/v{await self.api()}{path}", query, body, seconds=seconds)
        if reply.status == 400 and "client version" in reply.message:
            self._api = None  # the engine was exchanged
        return reply

    async def listed(self, path: str, label: str, **filters: str) -> list[dict[str, Any]]:
        """Return the containers or networks that carry a label, `key` or `key=value`, in any state."""
        wanted = {"label": [label], **{name: [value] for name, value in filters.items()}}
        query = {"filters": json.dumps(wanted)}
        if path == "/containers/json":
            query["all"] = "1"
        reply = await self.call("GET", path, query)
        if reply.status != 200:
            raise EngineDownError(f"GET {path}: the engine answered {reply.status}")
        found: list[dict[str, Any]] = reply.json()
        return found

    async def check_leader(self) -> None:
        """Raise EngineDownError when the engine's swarm has no leader, or the engine does not manage one.

        Such an engine still lists networks: its own, without the swarm's and without an error.
        """
        # Of no node: `/swarm` would answer with the tokens to join it.
        reply = await self.call("GET", "/nodes", {"filters": json.dumps({"id": ["-"]})})
        if reply.status != 200:
            raise EngineDownError(
                "this engine's swarm has no leader, or the engine does not manage one", may_land=False
            )

    @asynccontextmanager
    async def under_a_leader(self) -> AsyncGenerator[None]:
        """Check for a leader before and after something is listed again that was empty.

        An engine may have waited 20 s for a leader that was lost before it listed nothing, and another may be
        lost since. Raises EngineDownError, also when all of it takes longer than one call may.
        """
        try:
            async with asyncio.timeout(self._seconds):
                await self.check_leader()
                yield
                await self.check_leader()
        except TimeoutError as error:
            raise EngineDownError("the engine's swarm does not answer in time", may_land=False) from error

    async def unenforced_limits(self) -> list[str]:
        """Return the limits of a container that this engine accepts but does not enforce.

        Without cgroups (a rootless engine on cgroup v1) it reports this nowhere else: measured on Engine 26.
        """
        reply = await self.call("GET", "/info")
        if reply.status != 200:
            raise EngineDownError(f"GET /info: the engine answered {reply.status}")
        info = reply.json()
        return [limit for key, limit in _LIMITS.items() if info.get(key) is not True]

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, query: Mapping[str, str]
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Open a long-lived answer. The caller reads its body and gets aiohttp's errors."""
        url = self._url(f"/v{await self.api()}{path}", query)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._seconds)
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._client().request(method, url, timeout=timeout, allow_redirects=False)
        except (aiohttp.ClientError, OSError) as error:
            raise EngineDownError(f"{method} {path}: the engine does not answer: {error}") from error
        try:
            yield response
        finally:
            response.close()

    @asynccontextmanager
    async def input_of(self, container_id: str) -> AsyncGenerator[tuple[Reply, asyncio.StreamWriter]]:
        """Open a container's standard input: with status 101 the connection leads there.

        Raises EngineDownError. On leaving, what is unsent is dropped.
        """
        path = f"/containers/{container_id}/attach"
        url = self._url(f"/v{await self.api()}{path}", {"stdin": "1", "stream": "1"})
        head = "\r\n".join((f"POST {url.raw_path_qs} HTTP/1.1", "Host: engine", *_TAKE_OVER, "", ""))
        try:
            async with asyncio.timeout(self._seconds):
                reader, writer = await self._connect()
        except OSError as error:
            raise EngineDownError(f"POST {path}: the engine does not answer: {error}") from error
        try:
            try:
                async with asyncio.timeout(self._seconds):
                    writer.write(head.encode("ascii"))
                    answer = await reader.readuntil(b"\r\n\r\n")
                    status = int(answer.split(b" ", 2)[1])
                    if status != _TAKEN_OVER and status < _LEAST_ERROR:
                        raise ConnectionError(f"it answered {status}, and did not hand over the connection")
                    body = b"" if status == _TAKEN_OVER else await reader.read(_REFUSAL_BYTES)
            except (OSError, EOFError, asyncio.LimitOverrunError, LookupError, ValueError) as error:
                raise EngineDownError(f"POST {path}: the engine does not answer: {error!r}") from error
            yield Reply(status, body), writer
        finally:
            writer.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._is_unix:
            return await asyncio.open_unix_connection(self._place)
        host, _, port = self._place.rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port), ssl=self._tls)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        seconds: float = 0,
    ) -> Reply:
        timeout = aiohttp.ClientTimeout(total=self._seconds + seconds)
        counts, answer = ON_BEHALF_OF.get(), bytearray()
        changes = method != "GET"
        try:
            async with self._client().request(
                method, self._url(path, query), json=body, timeout=timeout, allow_redirects=False
            ) as response:
                async for piece in response.content.iter_any():
                    if counts is not None:
                        (counts.charge if changes else counts.take)(len(piece))
                    answer += piece
                    if len(answer) > MAX_ANSWER_BYTES:
                        raise EngineDownError(f"{method} {path}: more than {MAX_ANSWER_BYTES} bytes")
                reply = Reply(response.status, bytes(answer))
            if counts is not None and len(answer) > _LONG_ANSWER_BYTES:
                await counts.turn()
            return reply  # noqa: TRY300 - nothing after it raises
        except (aiohttp.ClientError, OSError) as error:
            may_land = changes and not isinstance(error, aiohttp.ClientConnectorError)
            raise EngineDownError(
                f"{method} {path}: the engine does not answer: {error}", may_land=may_land
            ) from error
        finally:
            if counts is not None:
                counts.give_back(len(answer))

    def _url(self, path: str, query: Mapping[str, str] | None) -> URL:
        scheme = "http" if self._tls is None else "https"
        base = "http://engine" if self._is_unix else f"{scheme}://{self._place}"
        return URL(f"{base}{path}{f'?{urlencode(query)}' if query else ''}", encoded=True)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector: aiohttp.BaseConnector = (
                aiohttp.UnixConnector(self._place, limit=0, keepalive_timeout=60)
                if self._is_unix
                else aiohttp.TCPConnector(limit=0, keepalive_timeout=60, ssl=self._tls or True)
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers={"User-Agent": "docker-guard"},
                skip_auto_headers={"Accept", "Accept-Encoding"},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


def dotted(version: tuple[int, ...]) -> str:
    """Return a version as people write it, e.g. `1.45`."""
    return ".".join(map(str, version))
