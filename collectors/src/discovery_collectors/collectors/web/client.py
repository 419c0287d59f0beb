"""Requests pages of one web server at one address; bounded in bytes and seconds, follows no redirect."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import httpx2

from discovery_collectors.protocols.tls_contexts import accepting_context
from discovery_collectors.running.scope import ScopedAddress

REQUEST_SECONDS = 10
BODY_BYTES = 256 * 1024
"""Read of one answer; a longer one ends with the connection."""
_HEADERS = 100
_HEADER_CHARACTERS = 1000
_PATH_CHARACTERS = 500
_AGENT = "discovery-collect (inventory; only reads)"


class WebError(RuntimeError):
    """There is no answer, or it is not HTTP; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `body` is the beginning when it was too long."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case; of several with one name the first."""
    cookies: tuple[str, ...]
    """Names of cookies that it sets, never their values."""
    body: bytes
    certificate: bytes | None
    """In DER, of a server that speaks TLS."""
    cut: bool = False
    """There was more of the body."""


class WebClient:
    """GET requests to one service. Nothing is resolved, no cookie is kept, no proxy of the environment used.

    Below it is httpx2's transport, not its client, which would do all three.
    """

    def __init__(self, address: ScopedAddress, port: int, *, tls: bool) -> None:
        self._place = (address, port)
        self._scheme = "https" if tls else "http"
        self._transport = httpx2.AsyncHTTPTransport(
            verify=accepting_context() if tls else False,
            trust_env=False,
            limits=httpx2.Limits(max_connections=1, max_keepalive_connections=1),
        )
        self.requests = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()

    async def get(self, path: str, name: str | None = None) -> Answer:
        """Request `path`; `name` goes into the Host header and the TLS handshake, the address stays.

        Raises WebError.
        """
        address, port = self._place
        default = 443 if self._scheme == "https" else 80
        host = name or address
        headers = {
            "Host": host if port == default else f"{host}:{port}",
            "User-Agent": _AGENT,
            "Accept": "text/html, text/plain;q=0.8, */*;q=0.1",
            # A few compressed bytes can become many.
            "Accept-Encoding": "identity",
        }
        url = httpx2.URL(scheme=self._scheme, host=address, port=port, raw_path=_raw(path))
        request = httpx2.Request(
            "GET",
            url,
            headers=headers,
            extensions={
                "timeout": dict.fromkeys(("connect", "read", "write", "pool"), REQUEST_SECONDS),
                "sni_hostname": name or "",
            },
        )
        self.requests += 1
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                return await self._read(await self._transport.handle_async_request(request))
        except TimeoutError:
            raise WebError(f"no whole answer within {REQUEST_SECONDS} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise WebError(f"no answer in HTTP: {str(error) or type(error).__name__}"[:300]) from error

    async def _read(self, response: httpx2.Response) -> Answer:
        headers: dict[str, str] = {}
        cookies = []
        for name, value in response.headers.multi_items()[:_HEADERS]:
            headers.setdefault(name.lower(), value[:_HEADER_CHARACTERS])
            if name.lower() == "set-cookie":
                cookies.append(value.partition("=")[0].strip()[:100])
        body = b""
        certificate = _certificate_of(response)
        try:
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > BODY_BYTES:
                    break
        finally:
            await response.aclose()
        cut = len(body) > BODY_BYTES
        return Answer(response.status_code, headers, tuple(cookies), body[:BODY_BYTES], certificate, cut)


def _raw(path: str) -> bytes:
    """Write a path as a request line allows it: no blank, no control, nothing beyond ASCII."""
    text = path[:_PATH_CHARACTERS].encode("utf-8", "replace")
    safe = bytes(byte for byte in text if byte not in b"\r\n")
    return b"".join(bytes([byte]) if 0x21 <= byte <= 0x7E else b"%%%02X" % byte for byte in safe)


def _certificate_of(response: httpx2.Response) -> bytes | None:
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("ssl_object") if stream is not None else None
    found: bytes | None = connection.getpeercert(binary_form=True) if connection is not None else None
    return found
