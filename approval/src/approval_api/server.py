"""Runs the application under uvicorn, with event streams that end when the server is told to stop."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import override

import uvicorn
from fastapi import FastAPI

from approval_api.app import begin_stop, create_app
from approval_api.logs import log_to_stdout
from approval_api.settings import Settings

SHUTDOWN_SECONDS = 5
"""Longest that open requests may take once the server was told to stop; streams end at once."""


class ApiServer(uvicorn.Server):
    """Tells the application of the stop before uvicorn begins to wait for its connections."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        """Serve `app` as `config` says."""
        super().__init__(config)
        self._app = app

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
    return ApiServer(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http="h11",
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
    )


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code: 0, or 1 when the start failed."""
    log_to_stdout(settings.log_level)
    server = create_server(create_app(settings), *settings.address)
    server.run()
    return 0 if server.started else 1
