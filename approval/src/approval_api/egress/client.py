"""Sends one request to a listed host. No redirect is followed, no proxy of the environment is used.

httpcore is used without a client library around it: it follows nothing, decodes nothing and keeps no cookies.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpcore2

from approval_api.egress.connection import CONNECT_SECONDS, JudgedConnections, Resolve, resolve
from approval_api.egress.hosts import HostList, Network, NotAllowedError, Place
from approval_api.egress.relay import Relay

MAX_SENT = 4 * 1024 * 1024
MAX_ANSWER = 1024 * 1024
SECONDS = 15.0
"""Longest time of one request: resolving, connecting, sending and the last byte of the answer."""
_CONNECTIONS_PER_PLACE = 8
_IDLE_SECONDS = 10.0


class NotAnsweredError(Exception):
    """No complete answer; the request may or may not have had an effect. This may heal."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of repeated ones the last."""
    body: bytes


class Egress:
    """The way out of one process; connections are reused for a few seconds."""

    def __init__(
        self,
        hosts: HostList,
        *,
        own_networks: Sequence[Network] = (),
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = resolve,
        seconds: float = SECONDS,
        max_answer: int = MAX_ANSWER,
    ) -> None:
        """Allow `hosts`; `own_networks` are the deployment's, refused although they may be public."""
        self._hosts = hosts
        self._own = tuple(own_networks)
        self._tls = tls or ssl.create_default_context()
        self._resolve = resolve
        self._seconds = seconds
        self._max_answer = max_answer
        self._pools: dict[Place, httpcore2.AsyncConnectionPool] = {}
        self._relays: dict[Place, Relay] = {}
        self._making_relays = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for relay in self._relays.values():
            await relay.__aexit__(None, None, None)
        for pool in self._pools.values():
            await pool.aclose()

    async def relay(self, place: Place) -> Relay:
        """Return a socket that leads to `place`, for a library that connects by itself.

        Raises NotAllowedError for a place that is not listed.
        """
        networks = self._hosts.networks_of(place)
        async with self._making_relays:
            if place not in self._relays:
                self._relays[place] = await Relay(place, self._connections(networks)).__aenter__()
        return self._relays[place]

    def require_listed(self, url: str) -> None:
        """Raise NotAllowedError for a URL that nothing may be sent to; nothing is."""
        self._hosts.networks_of(Place.of(url))

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a request and return the answer, whatever its status.

        Raises NotAllowedError when a rule refuses it, NotAnsweredError when no whole answer came.
        """
        place = Place.of(url)
        networks = self._hosts.networks_of(place)
        if len(body) > MAX_SENT:
            raise NotAllowedError(f"the request has {len(body)} bytes, and at most {MAX_SENT} are allowed")
        pool = self._pools.get(place)
        if pool is None:
            pool = self._pools[place] = self._pool(networks)
        try:
            async with asyncio.timeout(self._seconds):
                named = {"Host": place.authority, **(headers or {})}
                return await self._exchange(pool, method, _url(place, url), named, body)
        except TimeoutError as error:
            raise NotAnsweredError(f"no whole answer within {self._seconds:g} s") from error
        except httpcore2.LocalProtocolError:
            # Its text quotes the header, which may hold a credential.
            raise NotAllowedError("a header of the request has characters that no header may have") from None
        except httpcore2.ConnectError as error:
            raise NotAnsweredError(f"could not connect: {_reason(error)}") from error
        except httpcore2.ProtocolError as error:
            # What follows a colon is the line that is no HTTP, which may repeat what was sent.
            raise NotAnsweredError(f"the connection broke: {_reason(error).partition(':')[0]}") from None
        except (httpcore2.TimeoutException, httpcore2.NetworkError) as error:
            raise NotAnsweredError(f"the connection broke: {_reason(error)}") from error

    def _pool(self, networks: Sequence[Network]) -> httpcore2.AsyncConnectionPool:
        return httpcore2.AsyncConnectionPool(
            ssl_context=self._tls,
            max_connections=_CONNECTIONS_PER_PLACE,
            max_keepalive_connections=_CONNECTIONS_PER_PLACE,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=self._connections(networks),
        )

    def _connections(self, networks: Sequence[Network]) -> JudgedConnections:
        return JudgedConnections(networks, self._own, self._resolve)

    async def _exchange(
        self,
        pool: httpcore2.AsyncConnectionPool,
        method: str,
        url: httpcore2.URL,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        sent = [
            ("Accept-Encoding", "identity"),
            ("User-Agent", "discovery-dry-run"),
            *headers.items(),
        ]
        # The connecting of one address; the whole has a deadline of its own.
        within = {"connect": CONNECT_SECONDS}
        async with pool.stream(
            method, url, headers=sent, content=body, extensions={"timeout": within}
        ) as got:
            read = bytearray()
            async for part in got.aiter_stream():
                read += part
                if len(read) > self._max_answer:
                    raise NotAnsweredError(f"the answer is longer than {self._max_answer} bytes")
            named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in got.headers}
            return Answer(got.status, named, bytes(read))


def _url(place: Place, url: str) -> httpcore2.URL:
    """Return `url` taken apart, so that httpcore does not read it differently."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return httpcore2.URL(scheme=place.scheme, host=place.host, port=place.port, target=target)


def _reason(error: Exception) -> str:
    """Return the error's text, or the name of its kind; both are ours or the TLS library's."""
    return str(error)[:300] or type(error).__name__
