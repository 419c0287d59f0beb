"""Runs the application under uvicorn, with event streams that end when the server is told to stop."""

import asyncio
from types import FrameType
from typing import override

import uvicorn
from fastapi import FastAPI

from approval_api.app import begin_stop, create_app
from approval_api.logs import log_to_stdout
from approval_api.settings import Settings

SHUTDOWN_SECONDS = 5
"""Longest that open requests may take once the server was told to stop; streams end at once."""


class _Server(uvicorn.Server):
    """Tells the application of the stop before uvicorn begins to wait for its connections."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None

    @override
    async def serve(self, sockets: object = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve()

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._loop is not None:
            # A signal handler may interrupt anything; the loop does the work when it is ready.
            self._loop.call_soon_threadsafe(begin_stop, self._app)
        super().handle_exit(sig, frame)


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code: 0, or 1 when the start failed."""
    log_to_stdout(settings.log_level)
    app = create_app(settings)
    host, port = settings.address
    server = _Server(
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
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        ),
        app,
    )
    server.run()
    return 0 if server.started else 1
