"""Runs the application under uvicorn, with event streams that end when the server is told to stop."""

import asyncio
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast, override

import uvicorn
from fastapi import FastAPI

from approval_api.app import begin_stop, create_app
from approval_api.ceiling import Ceiling
from approval_api.connections import Connections
from approval_api.logs import log_to_stdout
from approval_api.networks import Proxies
from approval_api.settings import Settings

SHUTDOWN_SECONDS = 5
"""Longest that open requests may take once the server was told to stop; streams end at once."""
_OTHER_FILES = 256
"""File descriptors beside those of connections: the database, the orchestrator, the program itself."""
_TICKS_PER_SECOND = 10
"""uvicorn's."""


class ApiServer(uvicorn.Server):
    """Tells the application of the stop before uvicorn begins to wait for its connections."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, connections: Connections) -> None:
        """Serve `app` as `config` says."""
        super().__init__(config)
        self._app = app
        self._connections = connections

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
        """End streams and finish open requests; asked twice, do not wait for them."""
        begin_stop(self._app)
        self.force_exit = self.should_exit
        self.should_exit = True


def create_server(app: FastAPI, host: str, port: int) -> ApiServer:
    """Return a server for `app`; port 0 takes a free one.

    `X-Forwarded-For` and `-Proto` are believed from the settings' proxies only: addresses count for limits.
    """
    settings: Settings = app.state.settings
    connections = Connections(
        Ceiling(settings.connections, settings.connections_per_address),
        settings.head_seconds,
        Proxies(settings.trusted_proxies),
    )
    return ApiServer(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            # uvicorn only calls it.
            http=cast("type[asyncio.Protocol]", connections.protocol),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ),
        app,
        connections,
    )


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code: 0, or 1 when the start failed."""
    log_to_stdout(settings.log_level)
    _allow_files(settings.connections + _OTHER_FILES)
    server = create_server(create_app(settings), *settings.address)
    server.run()
    return 0 if server.started else 1


def _allow_files(wanted: int) -> None:
    """Raise the soft limit of open files to `wanted`, as far as the hard one goes.

    A process that has none left stops to accept anybody for a second.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
