"""Stores discoveries, follows dry-run sessions, scores and reports them."""

import argparse
import asyncio
import gc
import os
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from pydantic import SecretStr

from approval_api.settings import DatabaseSettings, Settings
from dryrun_contract.environment import SettingsError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


def main() -> None:
    """Run one command. Settings are `APPROVAL_*` variables, of `deliver` `DELIVERY_*`; wrong ones exit 2."""
    parser = argparse.ArgumentParser(prog="approval-api", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="migrate when needed, then serve until SIGTERM or Ctrl-C")
    commands.add_parser("deliver", help="send approved deliveries until SIGTERM or Ctrl-C")
    commands.add_parser("migrate", help="bring the database to this version's schema")
    invite = commands.add_parser("invite", help="print a one-time link by which a person chooses a password")
    invite.add_argument("name", help="the person's name; an unknown one is added")
    invite.add_argument(
        "--roles",
        default="admin",
        help="roles of a person who is added, e.g. operator,approver (default: admin)",
    )
    invite.add_argument("--first", action="store_true", help="only while no administrator can sign in")
    invite.add_argument("--url", default="", help="where browsers reach the service, e.g. https://approval")
    arguments = parser.parse_args()
    # To look for garbage among what is imported takes up to a quarter of a start; a server does so later.
    gc.disable()
    try:
        if arguments.command == "migrate":
            _migrate(DatabaseSettings.read(os.environ))
        elif arguments.command == "deliver":
            _deliver()
        elif arguments.command == "invite":
            _invite(DatabaseSettings.read(os.environ), arguments)
        else:
            _serve(Settings.read(os.environ))
    except SettingsError as error:
        sys.stderr.write(f"approval-api: {error}\n")
        sys.exit(2)


def _migrate(settings: DatabaseSettings) -> None:
    from approval_api.database.migration import migrate_when_reachable
    from dryrun_serving.logs import log_to_stdout

    log_to_stdout("INFO")
    _run(settings.owner_url, migrate_when_reachable)


def _invite(settings: DatabaseSettings, arguments: argparse.Namespace) -> None:
    from approval_api.database.migration import migrate_when_reachable
    from approval_api.identity.roles import Role
    from approval_api.people import bootstrap
    from approval_api.people.schemas import NAME

    if not re.fullmatch(NAME, arguments.name):
        raise SettingsError(f"the name {arguments.name!r} does not match {NAME}")
    try:
        roles = {Role(role.strip()) for role in arguments.roles.split(",")}
    except ValueError as error:
        raise SettingsError(f"--roles: {error}; roles are {', '.join(Role)}") from error

    async def work(engine: "AsyncEngine") -> None:
        await migrate_when_reachable(engine)
        try:
            async with engine.begin() as connection:
                path = await bootstrap.invite(connection, arguments.name, roles, only_first=arguments.first)
        except bootstrap.SignsInElsewhereError as error:
            raise SettingsError(str(error)) from error
        except bootstrap.AddedMeanwhileError as error:
            sys.exit(f"approval-api: {error}")
        if path is None:
            # Not an error, and not a link: who starts a system asks each time, and reads the output.
            sys.stderr.write(
                "approval-api: no link: an administrator can sign in already, and invites people on the page "
                "People; without --first this command makes a link\n"
            )
        else:
            sys.stdout.write(f"{arguments.url.rstrip('/')}{path}\n")

    _run(settings.owner_url, work)


def _run(url: SecretStr, work: "Callable[[AsyncEngine], Awaitable[object]]") -> None:
    """Do `work` on the database. Each command imports only what it needs, so imports are local."""
    from approval_api.database.engine import create_owner_engine
    from dryrun_serving.lifespan import StartRefusedError

    async def run() -> None:
        engine = create_owner_engine(url.get_secret_value())
        try:
            await work(engine)
        finally:
            await engine.dispose()

    try:
        asyncio.run(run())
    except StartRefusedError as error:
        sys.stderr.write(f"approval-api: {error}\n")
        sys.exit(1)


def require_delivery_settings(environ: Mapping[str, str]) -> None:
    """Raise SettingsError if `deliver` would refuse this environment.

    For who starts several services: nothing else outside the delivering process may import its settings.
    """
    from approval_api.deliveries.sending.settings import DeliverySettings

    DeliverySettings.read(environ)


def _deliver() -> None:
    from approval_api.deliveries.sending.process import run
    from approval_api.deliveries.sending.settings import DeliverySettings

    gc.enable()
    run(DeliverySettings.read(os.environ))


def _serve(settings: Settings) -> None:
    from approval_api.server import serve

    sys.exit(serve(settings))
