"""The command `dryrun-orchestrator`."""

import argparse
import asyncio
import json
import logging
import os
import sys
from datetime import UTC, datetime
from types import FrameType

import uvicorn
from fastapi import FastAPI

from dryrun_contract.environment import SettingsError
from dryrun_orchestrator.app import create_app
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.connections import MAX_HEAD_BYTES, BoundedConnection
from dryrun_orchestrator.journal.journal import JournalError
from dryrun_orchestrator.settings import Settings


class JsonFormatter(logging.Formatter):
    """One JSON object a line, as log collectors read it."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _Server(uvicorn.Server):
    """Tells the endpoints as soon as a signal asks to end: long polls answer at once."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGTERM and SIGINT."""
        self._stopping.set()
        super().handle_exit(sig, frame)


def server_config(settings: Settings, app: FastAPI) -> uvicorn.Config:
    """Return how `app` is served: heads, connections and bodies are bounded."""
    host, _, port = settings.listen.rpartition(":")
    return uvicorn.Config(
        app,
        host=host.strip("[]"),
        port=int(port),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        http=BoundedConnection,
        ws="none",
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        server_header=False,
    )


def main() -> None:
    """Run the service until it is told to end."""
    parser = argparse.ArgumentParser(prog="dryrun-orchestrator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve the internal API; settings come from ORCHESTRATOR_* variables")
    parser.parse_args()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        settings = Settings.read(os.environ)
    except SettingsError as error:
        sys.exit(f"dryrun-orchestrator: settings:\n{error}")
    try:
        app = create_app(settings)
    except (JournalError, OperatorFileError) as error:
        sys.exit(f"dryrun-orchestrator: {error}")
    _Server(server_config(settings, app), app.state.stopping).run()
