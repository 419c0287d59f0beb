"""Builds, watches and removes simulated networks."""

import argparse
import os
import sys

from fastapi import FastAPI

from dryrun_contract.environment import SettingsError
from dryrun_orchestrator.app import create_app
from dryrun_orchestrator.catalog.operator_file import OperatorFileError
from dryrun_orchestrator.journal.errors import JournalError
from dryrun_orchestrator.settings import Settings
from dryrun_serving.ceiling import Ceiling
from dryrun_serving.logs import log_to_stdout
from dryrun_serving.server import Server
from dryrun_serving.server import create_server as create_bounded_server

HEAD_SECONDS = 5.0
"""From the start of a connection, or the end of an answer, to the end of the next request's head."""
MAX_CONNECTIONS = 256
MAX_CONNECTIONS_OF_ADDRESS = 64
"""So that one neighbour cannot take all connections. The approval API needs a few."""


def create_server(settings: Settings, app: FastAPI) -> Server:
    """Return a server for `app`; long polls answer as soon as it is asked to stop."""
    host, _, port = settings.listen.rpartition(":")
    return create_bounded_server(
        app,
        (host.strip("[]"), int(port)),
        connections=Ceiling(MAX_CONNECTIONS, MAX_CONNECTIONS_OF_ADDRESS),
        head_seconds=HEAD_SECONDS,
        begin_stop=app.state.stopping.set,
    )


def main() -> None:
    """Run the service until it is asked to stop."""
    parser = argparse.ArgumentParser(prog="dryrun-orchestrator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve the internal API; settings come from ORCHESTRATOR_* variables")
    parser.parse_args()
    log_to_stdout("INFO")
    try:
        settings = Settings.read(os.environ)
        app = create_app(settings)
    except (SettingsError, JournalError, OperatorFileError) as error:
        sys.exit(f"dryrun-orchestrator: {error}")
    sys.exit(create_server(settings, app).run_to_its_end())
