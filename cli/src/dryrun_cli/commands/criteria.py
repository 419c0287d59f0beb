"""Commands on criteria that the API stores by name."""

import sys
from pathlib import Path
from typing import Final

import yaml
from pydantic import TypeAdapter, ValidationError
from rich.table import Table
from rich.text import Text

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import JsonObject, read_list, read_object
from dryrun_cli.commands.command import command, make_console, write_removed, wrote_json
from dryrun_cli.commands.criteria_file import NOT_VALID, read_criteria, wrong_criteria
from dryrun_cli.drawing.safe_text import inert, inert_lines, shown
from dryrun_cli.errors import ApiRefusedError, WrongUseError
from dryrun_cli.invocation import Common
from dryrun_contract.named_criteria import CriteriaName

_DEFAULT: Final = "/dryrun/criteria/default"
_NAME: TypeAdapter[str] = TypeAdapter(CriteriaName)


@command
async def show_default(client: ApiClient, common: Common) -> None:
    """`dryrun criteria`: all criteria of the default set, as a file to start from."""
    _print(common, read_object(await client.ask("GET", "/dryrun/criteria"), "criteria"))


@command
async def list_sets(client: ApiClient, common: Common) -> None:
    """`dryrun criteria list`."""
    answer = await client.ask("GET", "/dryrun/criteria/sets")
    if wrote_json(common, answer):
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, at_least in (("NAME", 12), ("DEFAULT", 7), ("STORED BY", 9)):
        table.add_column(title, no_wrap=True, overflow="ellipsis", min_width=at_least)
    for each in read_list(answer, "sets"):
        one = read_object(each, "criteria")
        is_default = Text("default", style="green") if one.get("is_default") else Text("")
        table.add_row(
            shown(str(one.get("name")), limit=40),
            is_default,
            shown(str(one.get("stored_by") or "-"), limit=20),
        )
    make_console().print(table)


@command
async def show_set(client: ApiClient, common: Common, name: str) -> None:
    """`dryrun criteria show NAME`."""
    answer = read_object(await client.ask("GET", _path(name)), "criteria")
    _print(common, read_object(answer.get("criteria"), "criteria"))


@command
async def store(client: ApiClient, common: Common, name: str, file: Path, *, default: bool) -> None:
    """`dryrun criteria store NAME FILE`."""
    criteria = read_criteria(file)
    try:
        answer = await client.ask("PUT", _path(name), body=criteria)
    except ApiRefusedError as error:
        if error.problem.status == NOT_VALID:
            raise wrong_criteria(file, error) from error
        raise
    if default:
        await client.ask("PUT", _DEFAULT, body={"name": name})
    if not wrote_json(common, answer):
        also = ", the default for new sessions" if default else f"; to use them: --judged-by {inert(name)}"
        sys.stdout.write(f"Stored {inert(name)}{also}.\n")


@command
async def choose_default(client: ApiClient, common: Common, name: str) -> None:
    """`dryrun criteria default NAME`."""
    await client.ask("PUT", _DEFAULT, body={"name": checked_name(name)})
    if not wrote_json(common, {"default": name}):
        sys.stdout.write(f"New sessions are judged by {inert(name)} unless they name others.\n")


@command
async def remove(client: ApiClient, common: Common, name: str) -> None:
    """`dryrun criteria remove NAME`."""
    await client.ask("DELETE", _path(name))
    write_removed(common, name, f"Removed {inert(name)}.")


def checked_name(name: str) -> str:
    """Return `name`, which becomes a part of a path. Raises WrongUseError when it can name no criteria."""
    try:
        return _NAME.validate_python(name)
    except ValidationError:
        raise WrongUseError(
            f"{inert(name[:80])!r} names no criteria (small letters, digits, hyphens); "
            "see: dryrun criteria list"
        ) from None


def _path(name: str) -> str:
    return f"/dryrun/criteria/sets/{checked_name(name)}"


def _print(common: Common, criteria: JsonObject) -> None:
    if not wrote_json(common, criteria):
        sys.stdout.write(inert_lines(yaml.safe_dump(criteria, sort_keys=False, allow_unicode=False)))
