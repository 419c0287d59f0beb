"""Commands on destinations and deliveries."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Final, Literal
from uuid import UUID

from pydantic import JsonValue, ValidationError

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import read_each, read_list, read_object, read_word
from dryrun_cli.commands.command import command, make_console, write, write_json, write_removed, wrote_json
from dryrun_cli.commands.ids import checked_name, find_id
from dryrun_cli.commands.output_file import STANDARD_OUTPUT, write_output
from dryrun_cli.drawing.delivery_view import draw_deliveries, draw_delivery, draw_destinations
from dryrun_cli.drawing.safe_text import inert, inert_lines
from dryrun_cli.errors import WrongUseError, nothing_named
from dryrun_cli.exit_codes import ExitCode
from dryrun_cli.invocation import Common
from dryrun_contract.delivery import DeliveryItems, DeliveryView, DestinationRequest, DestinationView
from dryrun_contract.fault_words import in_words
from dryrun_contract.text import printable

_SHOWN: Final = 50
_DECLARED: Final = {
    "name": "NAME",
    "kind": "--kind",
    "url": "--url",
    "credential": "--credential",
    "kinds": "--only",
}
_DESTINATIONS: Final = "/production/destinations"
CHECK_SECONDS: Final = 45.0
"""Longest wait for a check: the process that delivers looks for one every second and takes at most 30 s; if
it is killed meanwhile, another one begins again within 10 s."""
_LOOK_SECONDS: Final = 0.5
_DELIVERIES: Final = "/production/deliveries"


@command
async def add_destination(
    client: ApiClient,
    common: Common,
    name: str,
    kind: str,
    url: str | None,
    credential: str | None,
    kinds: Sequence[str],
) -> ExitCode:
    """`dryrun destination add NAME --kind KIND`."""
    given = {"name": name, "kind": kind, "url": url, "credential": credential, "kinds": list(kinds)}
    try:
        wanted = DestinationRequest.model_validate(given)
    except ValidationError as error:
        raise WrongUseError(_in_words(error)) from None
    answer = await client.ask("POST", _DESTINATIONS, body=wanted.model_dump(mode="json"))
    added = read_word(DestinationView, answer, "a destination")
    if not common.json_output:
        sys.stdout.write(f"{name} is added. To preview a delivery: dryrun delivery preview {name}\n")
    return await _say_check(client, common, added, answer)


def _in_words(error: ValidationError) -> str:
    """Return what is wrong with a new destination, after the option that says it."""
    fault = error.errors(include_url=False)[0]
    place = str(fault["loc"][0]) if fault["loc"] else "url" if fault["type"].startswith("url_") else ""
    if not place:
        return in_words(fault)
    # Whoever gives the credential itself in place of its name does not want to see it in a log.
    is_shown = place not in {"url", "credential"}
    given = f", not {printable(str(fault['input']), limit=64)!r}" if is_shown else ""
    return f"{_DECLARED[place]}: {in_words(fault)}{given}"


@command
async def check_destination(client: ApiClient, common: Common, name: str) -> ExitCode:
    """`dryrun destination check NAME`."""
    answer = await client.ask("POST", f"{_DESTINATIONS}/{await _destination(client, name)}/check")
    return await _say_check(client, common, read_word(DestinationView, answer, "a destination"), answer)


async def _say_check(client: ApiClient, common: Common, view: DestinationView, answer: JsonValue) -> ExitCode:
    """Print the result of a check, if there is one: a destination of this kind may not be checked at all."""
    if view.check is not None and not common.json_output:
        sys.stderr.write(f"Checking whether {view.request.place} knows {view.request.credential} …\n")
    view, answer = await _until_checked(client, view, answer)
    name, check = view.request.name, view.check
    if not wrote_json(common, answer) and check is not None:
        if check.answered_at is None:
            sys.stderr.write(
                f"Not checked within {CHECK_SECONDS:g} s: is the process that delivers running "
                f"(approval-api deliver)? To check again: dryrun destination check {name}\n"
            )
        elif check.passed:
            sys.stdout.write(f"Checked: {inert(check.answer or '', 500)}.\n")
        else:
            sys.stderr.write(
                f"The check failed: {inert(check.answer or '', 500)}\n"
                f"To check again: dryrun destination check {name}\n"
            )
    return ExitCode.OK if check is None or check.passed else ExitCode.NOT_COMPLETED


async def _until_checked(
    client: ApiClient, view: DestinationView, answer: JsonValue
) -> tuple[DestinationView, JsonValue]:
    """Return a destination, also as JSON, once no check of it waits; after `CHECK_SECONDS`, as it is then."""
    until = monotonic() + CHECK_SECONDS
    while view.check is not None and view.check.answered_at is None and monotonic() < until:
        await asyncio.sleep(_LOOK_SECONDS)
        listed = read_object(await client.ask("GET", _DESTINATIONS), "destinations")
        for each in read_list(listed, "destinations"):
            if read_object(each, "a destination").get("id") == str(view.id):
                view, answer = read_word(DestinationView, each, "a destination"), each
                break
        else:
            raise nothing_named(
                "destination", f"{view.request.name} was removed meanwhile", "destination list"
            )
    return view, answer


@command
async def list_destinations(client: ApiClient, common: Common) -> None:
    """`dryrun destination list`."""
    answer = await client.ask("GET", _DESTINATIONS)
    write(common, answer, lambda _: draw_destinations(_destinations(answer)))


@command
async def remove_destination(client: ApiClient, common: Common, name: str) -> None:
    """`dryrun destination remove NAME`."""
    await client.ask("DELETE", f"{_DESTINATIONS}/{await _destination(client, name)}")
    write_removed(common, name, f"{name} is removed with its deliveries; nothing is deleted there.")


@command
async def preview(client: ApiClient, common: Common, name: str) -> None:
    """`dryrun delivery preview DESTINATION`."""
    answer = await client.ask("POST", f"{_DESTINATIONS}/{await _destination(client, name)}/deliveries")
    view = read_word(DeliveryView, answer, "a delivery")
    if wrote_json(common, answer):
        return
    await _draw(client, view, None)
    first = ""
    if view.state == "checking":
        first = f"Before it can be approved, {name} is asked what it has: dryrun delivery show {view.id}\n"
    sys.stderr.write(f"Nothing is sent yet. {first}To send it: dryrun delivery approve {view.id}\n")


@command
async def list_all(client: ApiClient, common: Common) -> None:
    """`dryrun delivery list`."""
    answer = await client.ask("GET", _DELIVERIES)
    write(common, answer, lambda _: draw_deliveries(_deliveries(answer)))


@command
async def show(client: ApiClient, common: Common, text: str, state: str | None) -> None:
    """`dryrun delivery show ID`."""
    delivery_id = await _find(client, text)
    answer = await client.ask("GET", f"{_DELIVERIES}/{delivery_id}")
    if state in {"given-up", "given up"}:
        state = "dead"  # the API's word
    if common.json_output:
        items = read_object(await _items(client, delivery_id, 500, state), "items")
        write_json({**read_object(answer, "a delivery"), **items})
    else:
        await _draw(client, read_word(DeliveryView, answer, "a delivery"), state)


@command
async def change(
    client: ApiClient, common: Common, text: str, how: Literal["approve", "discard", "resend"]
) -> None:
    """`dryrun delivery approve ID`, `discard ID` and `resend ID`."""
    answer = await client.ask("POST", f"{_DELIVERIES}/{await _find(client, text)}/{how}")
    if not wrote_json(common, answer):
        await _draw(client, read_word(DeliveryView, answer, "a delivery"), None)


@command
async def fetch(client: ApiClient, _: Common, text: str, form: str | None, output: Path | None) -> None:
    """`dryrun delivery fetch ID`."""
    content = await client.fetch(
        f"{_DELIVERIES}/{await _find(client, text)}/file", {} if form is None else {"format": form}
    )
    if output is None or output == STANDARD_OUTPUT:
        sys.stdout.write(inert_lines(content.decode("utf-8", "replace")))
    else:
        write_output(output, content)


async def _draw(client: ApiClient, view: DeliveryView, state: str | None) -> None:
    answer = await _items(client, view.id, _SHOWN, state)
    page = read_word(DeliveryItems, answer, "items")
    make_console().print(draw_delivery(view, page.items, page.next is not None))


async def _items(client: ApiClient, delivery_id: UUID, limit: int, state: str | None) -> JsonValue:
    params: dict[str, str | int] = {"limit": limit} | ({} if state is None else {"state": state})
    return await client.ask("GET", f"{_DELIVERIES}/{delivery_id}/items", params=params)


def _destinations(answer: JsonValue) -> list[DestinationView]:
    return read_each(DestinationView, answer, "destinations", "a destination")


def _deliveries(answer: JsonValue) -> list[DeliveryView]:
    return read_each(DeliveryView, answer, "deliveries", "a delivery")


async def _destination(client: ApiClient, name: str) -> UUID:
    checked_name(name, "destination")
    for each in _destinations(await client.ask("GET", _DESTINATIONS)):
        if name in {each.request.name, str(each.id)}:
            return each.id
    raise nothing_named("destination", f"there is no destination {name}", "destination list")


async def _find(client: ApiClient, text: str) -> UUID:
    async def list_ids() -> list[UUID]:
        return [each.id for each in _deliveries(await client.ask("GET", _DELIVERIES))]

    return await find_id(text, list_ids, "delivery", "deliveries")
