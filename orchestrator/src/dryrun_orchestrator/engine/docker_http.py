"""HTTP to an engine, with a deadline for every call."""

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from dryrun_contract.bounded_json import JsonBounds, OutOfBoundsError, read_json
from dryrun_contract.trace_context import HEADER, TraceContext
from dryrun_orchestrator.engine.api_version import choose_api
from dryrun_orchestrator.engine.call_spans import traced
from dryrun_orchestrator.engine.docker_errors import Call, error_from_answer, rubbish
from dryrun_orchestrator.engine.docker_host import client_tls, parse_docker_host
from dryrun_orchestrator.engine.errors import (
    EngineDownError,
    EngineUnreachableError,
    GuardDownError,
    RejectedError,
)
from dryrun_orchestrator.engine.switched_connection import SWITCHED, send_after_switch

CALL_SECONDS: Final = 30.0
WORK_SECONDS: Final = 30.0
"""Extra time for calls that make the engine work (create, start, stop, remove), which may be busy."""
CONNECT_SECONDS: Final = 5.0
QUIET_SECONDS: Final = 300.0
"""Longest silence on a stream: shorter than the ten minutes after which socket proxies cut, some silently."""

_ENGINES_OWN: Final = frozenset({"unix:///var/run/docker.sock", "unix:///run/docker.sock"})
"""Where an engine listens by itself; elsewhere there is a guard, or another proxy, before it."""
_OF_CERTIFICATES: Final = (
    "check the guard's certificate and this service's: one has expired, or was replaced alone; "
    "deploy/prepare rotate guard_tls makes both anew, in a fleet deploy/fleet/certificates"
)
_NO_CONNECTION: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)

_OK, _REDIRECTS, _NOT_MODIFIED = 200, 300, 304
_ANSWER_BOUNDS = JsonBounds(size=16 * 1024 * 1024, values=500_000, depth=32, key_length=4096)
"""A listing of 50 sessions takes 4 MiB; answers also contain labels and texts of others."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def checked_id(text: str) -> str:
    """Return `text` if it is valid as one path segment. Raises RejectedError when it is not an id or name."""
    if not _ID.fullmatch(text):
        raise RejectedError(f"{text!r} is not an id or name of a container or network")
    return text


class EngineHttp:
    """One engine's HTTP API. Each call opens a connection, so that no reused one fails midway.

    aiohttp retries once when a connection breaks before a GET or DELETE was answered. Both are safe to
    repeat: a second DELETE is answered 404, which callers treat as done. It never repeats a POST.
    """

    def __init__(
        self,
        docker_host: str,
        *,
        cert_path: Path | None = None,
        call_seconds: float = CALL_SECONDS,
        quiet_seconds: float = QUIET_SECONDS,
    ) -> None:
        """Use `unix:///path/of/socket` or `tcp://host:port`. Raises ValueError for anything else.

        `cert_path` is a folder of ca.pem, cert.pem and key.pem, and means mutual TLS.
        """
        self.docker_host = docker_host
        self._base, self._socket_path = parse_docker_host(docker_host)
        self._tls: ssl.SSLContext | None = None
        if cert_path is not None:
            if self._socket_path is not None:
                raise ValueError(f"DOCKER_HOST is {docker_host!r}: TLS is for tcp:// addresses")
            self._tls = client_tls(cert_path)
            self._base = self._base.with_scheme("https")
        self._call_seconds = call_seconds
        self._quiet_seconds = quiet_seconds
        self._session: aiohttp.ClientSession | None = None
        self._api: str | None = None
        self._api_lock = asyncio.Lock()
        self._streams: set[aiohttp.ClientResponse] = set()

    async def get_json(
        self, path: str, query: Mapping[str, str] | None = None, *, versioned: bool = True
    ) -> Any:
        """Return the JSON of a GET. Raises EngineError."""
        _, answer = await self.call("GET", path, query, versioned=versioned)
        return _parse_json(Call("GET", path), answer)

    async def create(self, path: str, body: Mapping[str, Any], query: Mapping[str, str] | None = None) -> Any:
        """Return the JSON answer of a POST that makes the engine work. Raises EngineError."""
        _, answer = await self.call("POST", path, query, body, seconds=self._call_seconds + WORK_SECONDS)
        return _parse_json(Call("POST", path), answer)

    async def change(self, method: str, path: str, query: Mapping[str, str] | None = None) -> None:
        """Send a request without a body that makes the engine work. Raises EngineError."""
        await self.call(method, path, query, seconds=self._call_seconds + WORK_SECONDS)

    async def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        seconds: float | None = None,
        versioned: bool = True,
    ) -> tuple[Mapping[str, str], bytes]:
        """Return the headers of an answer, and its body. Raises EngineError."""
        call = Call(method, path)
        with traced(call) as trace:
            async with self._deadline(call, self._call_seconds if seconds is None else seconds):
                prefix = await self._api_prefix() if versioned else ""
                response = await self._request(call, prefix, query, body, trace=trace)
                answer = await _read(call, response)
            return response.headers, self._judge(call, response, answer)

    async def send(self, path: str, query: Mapping[str, str], data: bytes) -> None:
        """Send a POST that is answered by 101, and send `data` on its connection. Raises EngineError."""
        call = Call("POST", path)
        with traced(call) as trace:
            async with self._deadline(call, self._call_seconds):
                url = self._base.with_path(f"{await self._api_prefix()}{path}").with_query(query)
                status, answer = await send_after_switch(
                    url, self._socket_path, self._tls, {} if trace is None else {HEADER: trace.header()}, data
                )
            if status != SWITCHED:
                raise error_from_answer(call, status, answer)

    @asynccontextmanager
    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[AsyncGenerator[bytes]]:
        """Open a long-running GET and yield its body in pieces as they arrive.

        Entering waits only for the head of the answer. The iteration raises EngineUnreachableError when the
        connection breaks or is silent for longer than `quiet_seconds`.
        """
        call = Call("GET", path)
        async with self._deadline(call, self._call_seconds):
            prefix = await self._api_prefix()
            response = await self._request(call, prefix, query, None, quiet_seconds=self._quiet_seconds)
            if response.status != _OK:
                raise error_from_answer(call, response.status, await _read(call, response))
        self._streams.add(response)
        try:
            pieces = _pieces(call, response, self.docker_host)
            try:
                yield pieces
            finally:
                await pieces.aclose()
        finally:
            self._streams.discard(response)
            response.close()

    async def close(self) -> None:
        """Close every connection; open streams break."""
        for response in self._streams:  # aiohttp closes their connections without waking the readers
            response.content.set_exception(aiohttp.ClientConnectionError("closed from this side"))
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _judge(self, call: Call, response: aiohttp.ClientResponse, answer: bytes) -> bytes:
        if response.status == _NOT_MODIFIED:  # already started, already stopped
            return b""
        if not _OK <= response.status < _REDIRECTS:
            error = error_from_answer(call, response.status, answer)
            if "client version" in str(error):
                self._api = None  # the engine was replaced by another version: negotiate again
            raise error
        return answer

    async def _request(
        self,
        call: Call,
        prefix: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        *,
        quiet_seconds: float | None = None,
        trace: TraceContext | None = None,
    ) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=quiet_seconds)
        url = self._base.with_path(f"{prefix}{call.path}").with_query(query)
        headers = None if trace is None else {HEADER: trace.header()}
        return await self._client().request(
            call.method, url, json=body, headers=headers, timeout=timeout, allow_redirects=False
        )

    @asynccontextmanager
    async def _deadline(self, call: Call, seconds: float) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            reason = f"no answer within {seconds:g} s" if isinstance(error, TimeoutError) else _reason(error)
            to_do = f"check that the engine, and the proxy before it, run at {self.docker_host}"
            if isinstance(error, aiohttp.ClientSSLError):
                to_do = f"{_OF_CERTIFICATES} ({self.docker_host} answers)"
            raise self._kind(error)(f"{call}: {reason}; {to_do}") from error

    def _kind(self, error: Exception) -> type[EngineUnreachableError]:
        if isinstance(error, aiohttp.ClientSSLError) or not isinstance(error, _NO_CONNECTION):
            return EngineUnreachableError
        return EngineDownError if self.docker_host in _ENGINES_OWN else GuardDownError

    async def _api_prefix(self) -> str:
        """Return how paths begin. Callers have deadlines: at an engine that hangs, each waits in turn."""
        async with self._api_lock:
            if self._api is None:
                self._api = choose_api(await self.get_json("/version", versioned=False))
            return self._api

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector: aiohttp.BaseConnector
            if self._socket_path is None:
                connector = aiohttp.TCPConnector(limit=0, force_close=True, ssl=self._tls or False)
            else:
                connector = aiohttp.UnixConnector(self._socket_path, limit=0, force_close=True)
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers={"Accept-Encoding": "identity", "User-Agent": "dryrun-orchestrator"},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


async def _read(call: Call, response: aiohttp.ClientResponse) -> bytes:
    answer = bytearray()
    try:
        async for piece in response.content.iter_any():
            answer += piece
            if len(answer) > _ANSWER_BOUNDS.size:
                raise rubbish(call, f"more than {_ANSWER_BOUNDS.size} bytes")
    finally:
        response.close()
    return bytes(answer)


async def _pieces(call: Call, response: aiohttp.ClientResponse, docker_host: str) -> AsyncGenerator[bytes]:
    try:
        async for piece in response.content.iter_any():
            yield piece
    except (aiohttp.ClientError, OSError) as error:
        raise EngineUnreachableError(
            f"{call}: the connection to {docker_host} broke: {_reason(error)}; read again from the start"
        ) from error


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _parse_json(call: Call, answer: bytes) -> Any:
    try:
        return read_json(answer, _ANSWER_BOUNDS)
    except OutOfBoundsError as error:
        raise rubbish(call, f"an answer that is {error}") from None
    except ValueError:
        raise rubbish(call, answer[:400].decode(errors="replace") or "nothing") from None
