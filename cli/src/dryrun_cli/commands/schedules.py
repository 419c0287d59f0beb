"""Commands on schedules: add, list, show, pause, resume, remove."""

import sys
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

from pydantic import JsonValue, ValidationError

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import read_each, read_word
from dryrun_cli.commands.command import command, write, write_removed, wrote_json
from dryrun_cli.commands.experiments import read_request
from dryrun_cli.commands.ids import find_id
from dryrun_cli.drawing.schedule_view import draw_schedule, draw_schedules
from dryrun_cli.errors import WrongUseError
from dryrun_cli.invocation import Common
from dryrun_contract.schedule import Schedule, ScheduleRequest, ScheduleView

_WORDS: Final = {"pause": "fires no more", "resume": "fires again"}


@command
async def add(client: ApiClient, common: Common, path: Path, cron: str, timezone: str) -> None:
    """`dryrun schedule add FILE --cron EXPRESSION`. The file is an experiment's."""
    experiment = read_request(path)
    try:
        wanted = ScheduleRequest(cron=" ".join(cron.split()), timezone=timezone, experiment=experiment)
    except ValidationError as error:
        option = "--" + str(error.errors()[0]["loc"][0])
        raise WrongUseError(
            f"{option}: expected five fields such as '30 2 * * 1-5', and a name such as Europe/Berlin"
        ) from None
    answer = await client.ask("POST", "/dryrun/schedules", body=wanted.model_dump(mode="json"))
    if wrote_json(common, answer):
        return
    view = read_word(ScheduleView, answer, "a schedule")
    due = "" if view.next_at is None else f" It is due at {view.next_at:%Y-%m-%d %H:%M} UTC."
    sys.stdout.write(f"{view.id}\n")
    ends = view.token_ends_at
    until = "" if ends is None else f"It pauses when this token ends, {ends:%Y-%m-%d %H:%M} UTC.\n"
    sys.stderr.write(f"Scheduled.{due}\n{until}To see it: dryrun schedule show {view.id}\n")


@command
async def list_all(client: ApiClient, common: Common) -> None:
    """`dryrun schedule list`."""
    answer = await client.ask("GET", "/dryrun/schedules")
    write(common, answer, lambda glyphs: draw_schedules(_views(answer), glyphs))


@command
async def show(client: ApiClient, common: Common, text: str) -> None:
    """`dryrun schedule show ID`."""
    answer = await client.ask("GET", f"/dryrun/schedules/{await find_schedule(client, text)}")
    write(common, answer, lambda glyphs: draw_schedule(read_word(Schedule, answer, "a schedule"), glyphs))


@command
async def change(client: ApiClient, common: Common, text: str, how: Literal["pause", "resume"]) -> None:
    """`dryrun schedule pause ID` and `resume ID`."""
    answer = await client.ask("POST", f"/dryrun/schedules/{await find_schedule(client, text)}/{how}")
    if not wrote_json(common, answer):
        view = read_word(ScheduleView, answer, "a schedule")
        sys.stdout.write(f"{view.id} {_WORDS[how]}.\n")


@command
async def remove(client: ApiClient, common: Common, text: str) -> None:
    """`dryrun schedule remove ID`."""
    schedule_id = await find_schedule(client, text)
    await client.ask("DELETE", f"/dryrun/schedules/{schedule_id}")
    write_removed(common, str(schedule_id), f"{schedule_id} is removed; its experiments stay.")


async def find_schedule(client: ApiClient, text: str) -> UUID:
    """Return the id that `text` begins, as `find_id` does."""

    async def list_ids() -> list[UUID]:
        return [each.id for each in _views(await client.ask("GET", "/dryrun/schedules"))]

    return await find_id(text, list_ids, "schedule", "schedules")


def _views(answer: JsonValue) -> list[ScheduleView]:
    return read_each(ScheduleView, answer, "schedules", "a schedule")
