"""Commands on production: list discoveries and scans, decide, count changes."""

import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pydantic import JsonValue

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import JsonObject, read_each, read_list, read_object, read_word
from dryrun_cli.commands.command import command, write, wrote_json
from dryrun_cli.drawing.production_view import draw_changes, draw_discoveries, draw_scans
from dryrun_cli.errors import WrongUseError
from dryrun_cli.exit_codes import ExitCode
from dryrun_cli.invocation import Common
from dryrun_contract.production import ChangeSummary, ScanView

_PAGE: Final = 200
_SEEN: Final = re.compile(r"([0-9]{1,16}):([0-9]{1,10})")


@command
async def list_discoveries(
    client: ApiClient, common: Common, filters: Mapping[str, str | None], limit: int
) -> None:
    """`dryrun production list`."""
    found: list[JsonValue] = []
    params: dict[str, str | int] = {"limit": min(limit, _PAGE)}
    params |= {name: value for name, value in filters.items() if value is not None}
    while len(found) < limit:
        page = read_object(await client.ask("GET", "/production/discoveries", params=params), "discoveries")
        found += read_list(page, "discoveries")
        following = page.get("next")
        if not isinstance(following, str) or following == params.get("cursor"):
            break
        params["cursor"] = following
    shown = found[:limit]
    rows = [read_object(each, "a discovery") for each in shown]
    of_open = filters.get("status") == "pending"
    write(common, shown, lambda _: draw_discoveries(rows, of_open=of_open))


@command
async def decide(
    client: ApiClient,
    common: Common,
    decision: Literal["approved", "rejected", "pending"],
    seen: tuple[str, ...],
    note: str,
) -> ExitCode:
    """`dryrun production approve|reject|reopen ID:REVISION …`."""
    body: JsonObject = {"decision": decision, "note": note, "discoveries": [_seen(each) for each in seen]}
    answer = await client.ask("POST", "/production/discoveries/decisions", body=body)
    decided = read_object(answer, "a decision")
    changed, unknown = (read_list(decided, name) for name in ("changed", "unknown"))
    if not wrote_json(common, answer):
        count = len(read_list(decided, "decided"))
        sys.stdout.write(f"{count} {'open again' if decision == 'pending' else decision}.\n")
        for each in changed:
            sys.stderr.write(
                f"{_number(each)} has changed since that revision; to see it: dryrun production list\n"
            )
        for each in unknown:
            sys.stderr.write(f"There is no discovery {_number(each)}.\n")
    return ExitCode.REFUSED if changed or unknown else ExitCode.OK


@command
async def list_scans(client: ApiClient, common: Common) -> None:
    """`dryrun production scans`."""
    answer = await client.ask("GET", "/production/scans")
    write(common, answer, lambda _: draw_scans(read_each(ScanView, answer, "scans", "a scan")))


@command
async def summarize(client: ApiClient, common: Common, days: int) -> None:
    """`dryrun production changes`."""
    params = {"since": _days_ago(days)}
    answer = await client.ask("GET", "/production/discoveries/summary", params=params)
    write(common, answer, lambda _: draw_changes(read_word(ChangeSummary, answer, "changes")))


def in_days(happened: str | None, days: int) -> dict[str, str | None]:
    """Return the filters for what happened in the last days."""
    return {"happened": happened, "since": None if happened is None else _days_ago(days)}


def _days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")


def _seen(text: str) -> JsonObject:
    match = _SEEN.fullmatch(text)
    if match is None:
        raise WrongUseError(
            f"{text} is not an ID:REVISION as `dryrun production list` shows it, for example 17:3"
        )
    return {"id": int(match[1]), "revision": int(match[2])}


def _number(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0
