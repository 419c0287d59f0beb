"""Runs the application; event streams end when the server stops."""

from fastapi import FastAPI

from approval_api.app import begin_stop, create_app
from approval_api.settings import Settings
from dryrun_serving.ceiling import Ceiling
from dryrun_serving.logs import log_to_stdout
from dryrun_serving.server import Server
from dryrun_serving.server import create_server as create_bounded_server


def create_server(app: FastAPI, host: str, port: int) -> Server:
    """Return a server for `app` as its settings say; port 0 takes a free one."""
    settings: Settings = app.state.settings
    return create_bounded_server(
        app,
        (host, port),
        connections=Ceiling(settings.connections, settings.connections_per_address),
        head_seconds=settings.head_seconds,
        begin_stop=lambda: begin_stop(app),
        trusted_proxies=settings.trusted_proxies,
    )


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code: 0, or 1 when the start or the service failed."""
    log_to_stdout(settings.log_level)
    return create_server(create_app(settings), *settings.address).run_to_its_end()
