"""The command line: `approval-api serve` and `approval-api migrate`."""

import argparse
import asyncio
import os
import sys

from approval_api.settings import DatabaseSettings, Settings
from dryrun_contract.environment import SettingsError


def main() -> None:
    """Run one command; settings come from `APPROVAL_*` variables. Exits 2 when they are wrong."""
    parser = argparse.ArgumentParser(prog="approval-api", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="migrate when needed, then serve until SIGTERM or Ctrl-C")
    commands.add_parser("migrate", help="bring the database to this version's schema")
    command = parser.parse_args().command
    try:
        if command == "migrate":
            _migrate(DatabaseSettings.read(os.environ))
        else:
            _serve(Settings.read(os.environ))
    except SettingsError as error:
        sys.stderr.write(f"approval-api: {error}\n")
        sys.exit(2)


def _migrate(settings: DatabaseSettings) -> None:
    # Each command loads only what it needs.
    from approval_api.database.engine import create_engine  # noqa: PLC0415  # see above
    from approval_api.database.migration import (  # noqa: PLC0415  # see above
        DatabaseUnreachableError,
        migrate_when_reachable,
    )
    from approval_api.logs import log_to_stdout  # noqa: PLC0415  # see above

    async def work() -> None:
        engine = create_engine(settings.database_url.get_secret_value())
        try:
            await migrate_when_reachable(engine)
        finally:
            await engine.dispose()

    log_to_stdout("INFO")
    try:
        asyncio.run(work())
    except DatabaseUnreachableError as error:
        sys.stderr.write(f"approval-api: {error}\n")
        sys.exit(1)


def _serve(settings: Settings) -> None:
    from approval_api.server import serve  # noqa: PLC0415  # see above

    sys.exit(serve(settings))
