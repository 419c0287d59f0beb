"""Opens connections: a name is resolved once, every answer is judged, and only those addresses are used."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

import httpcore2

from approval_api.egress.addresses import judge
from approval_api.egress.hosts import Network, NotAllowedError

_MAX_ADDRESSES = 32
_MAX_TRIED = 4
CONNECT_SECONDS = 5.0

type Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Returns the addresses of a host. Raises OSError."""


async def resolve(host: str, port: int) -> list[str]:
    """Return what this machine's resolver answers."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class JudgedConnections(httpcore2.AsyncNetworkBackend):
    """What httpcore connects by, for one place."""

    def __init__(self, networks: Sequence[Network], own: Sequence[Network], resolve: Resolve) -> None:
        """Connect into `networks`; without any, to public addresses outside of `own`."""
        self._networks = networks
        self._own = own
        self._resolve = resolve
        self._tcp = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve, judge, connect. One forbidden answer forbids all: which one is used is chance.

        Raises NotAllowedError, and httpcore's errors.
        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                answers = await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout("the name was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"the name could not be resolved: {error}") from error
        if not answers or len(answers) > _MAX_ADDRESSES:
            raise NotAllowedError(
                f"the name has {len(answers)} addresses; from 1 to {_MAX_ADDRESSES} are used"
            )
        judged = [judge(answer, self._networks, self._own) for answer in answers]
        failed: Exception = httpcore2.ConnectError("no address was tried")
        for address in judged[:_MAX_TRIED]:
            try:
                return await self._tcp.connect_tcp(
                    str(address), port, timeout or CONNECT_SECONDS, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        raise failed
