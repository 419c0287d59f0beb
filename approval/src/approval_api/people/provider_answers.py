"""A provider's answers are measured while they arrive, before they are parsed."""

from collections.abc import AsyncIterator
from typing import Any, override

import httpx2

from dryrun_contract.bounded_json import JsonBounds, check_bounds

BOUNDS = JsonBounds(size=256 * 1024, values=20_000)
"""Bounds of a discovery document, key set or token answer; large providers' have 10 KiB."""
HEADERS = {"Accept-Encoding": "identity"}
"""The size of a compressed answer is only known once it is unpacked."""


class _Measured(httpx2.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        arrived = 0
        async for part in self._stream:
            arrived += len(part)
            if arrived > BOUNDS.size:
                raise httpx2.ReadError(f"the answer is longer than {BOUNDS.size} bytes")
            yield part

    @override
    async def aclose(self) -> None:
        await self._stream.aclose()


async def _measure(response: httpx2.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.DecodingError("the answer is compressed, although identity was requested")
    response.stream = _Measured(response.stream)
    await response.aread()
    # Authlib parses the answer with a token itself.
    check_bounds(response.content, BOUNDS)


HOOKS: dict[str, list[Any]] = {"response": [_measure]}
"""For `event_hooks` of a client: each answer is within BOUNDS. Raises httpx2.HTTPError, OutOfBoundsError."""
