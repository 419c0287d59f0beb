"""Runs an application under uvicorn, which bounds no connections and ends by its signal."""

import asyncio
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast, override

import uvicorn
from starlette.types import ASGIApp

from dryrun_serving.ceiling import Ceiling
from dryrun_serving.connections import Connections
from dryrun_serving.networks import Proxies

SHUTDOWN_SECONDS = 5
"""Longest that open requests may take once the server was asked to stop."""
_OTHER_FILES = 256
"""File descriptors beside those of connections: databases, other services, the program itself."""
_TICKS_PER_SECOND = 10
"""uvicorn's."""


class Server(uvicorn.Server):
    """Lets the application end what would last before uvicorn begins to wait for its connections."""

    def __init__(
        self, config: uvicorn.Config, connections: Connections, begin_stop: Callable[[], None]
    ) -> None:
        """Serve as `config` says; `begin_stop` is called once or more when the server is asked to stop."""
        super().__init__(config)
        self._connections = connections
        self._begin_stop = begin_stop

    @override
    async def on_tick(self, counter: int) -> bool:
        """Do what uvicorn does ten times a second, and once a second end what is late."""
        if counter % _TICKS_PER_SECOND == 0:
            self._connections.sweep()
        return await super().on_tick(counter)

    @contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT, and then end with exit code 0; uvicorn would die of the signal."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Finish open requests, then end; asked twice, do not wait for them."""
        self._begin_stop()
        self.force_exit = self.should_exit
        self.should_exit = True

    def run_to_its_end(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code: 0, or 1 when the start failed."""
        _allow_files(self._connections.most + _OTHER_FILES)
        self.run()
        return 0 if self.started else 1


def create_server(
    app: ASGIApp,
    address: tuple[str, int],
    *,
    connections: Ceiling,
    head_seconds: float,
    begin_stop: Callable[[], None],
    trusted_proxies: str = "",
) -> Server:
    """Return a server for `app` at a host and port; port 0 takes a free one.

    A head has `head_seconds` to arrive. `X-Forwarded-For` and `-Proto` are believed from `trusted_proxies`
    only, comma separated: addresses count for limits.
    """
    host, port = address
    bounded = Connections(connections, head_seconds, Proxies(trusted_proxies))
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        # uvicorn only calls it.
        http=cast("type[asyncio.Protocol]", bounded.protocol),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    return Server(config, bounded, begin_stop)


def _allow_files(wanted: int) -> None:
    """Raise the soft limit of open files to `wanted`, as far as the hard one goes.

    A process that has none left stops to accept anybody for a second.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
