"""Commands on badges: show, publish, list, withdraw."""

import re
import sys

from pydantic import JsonValue
from rich.text import Text

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import read_word
from dryrun_cli.commands.command import command, make_console, write_removed, wrote_json
from dryrun_cli.commands.ids import checked_template, require_template
from dryrun_cli.commands.schedules import find_schedule
from dryrun_cli.drawing.listing import listing
from dryrun_cli.drawing.moments import dated, minute
from dryrun_cli.drawing.safe_text import folded, inert, shown
from dryrun_cli.errors import WrongUseError
from dryrun_cli.invocation import Common
from dryrun_contract.trend import Badge, PublishedBadge, PublishedBadges, PublishRequest


@command
async def show(client: ApiClient, common: Common, template: str | None, schedule: str | None) -> None:
    """`dryrun badge show TEMPLATE`."""
    wanted = await _wanted(client, template, schedule)
    of = f"/templates/{wanted.template}" if wanted.template else f"/schedules/{wanted.schedule_id}"
    answer = await client.ask("GET", f"/dryrun{of}/badge")
    badge = await _known(client, wanted, answer)
    if not wrote_json(common, answer):
        sys.stdout.write(f"{inert(badge.label)}: {inert(badge.message)}\n")


@command
async def publish(client: ApiClient, common: Common, template: str | None, schedule: str | None) -> None:
    """`dryrun badge publish TEMPLATE`."""
    wanted = await _wanted(client, template, schedule)
    if wanted.template:
        await _known(client, wanted, await client.ask("GET", f"/dryrun/templates/{wanted.template}/badge"))
    answer = await client.ask("POST", "/dryrun/badges", body=wanted.model_dump(mode="json"))
    if wrote_json(common, answer):
        return
    badge = read_word(PublishedBadge, answer, "a badge")
    sys.stdout.write(f"{client.url}{inert(badge.path)}\n")
    sys.stderr.write("Whoever knows this address can read it without signing in.\n")


@command
async def list_all(client: ApiClient, common: Common) -> None:
    """`dryrun badge list`."""
    answer = await client.ask("GET", "/dryrun/badges")
    if wrote_json(common, answer):
        return
    table = listing("ID", "OF", dated("PUBLISHED"), "BY", give_way={"OF", "BY"})
    for each in read_word(PublishedBadges, answer, "published badges").badges:
        of = each.template or f"schedule {str(each.schedule_id)[:8]}"
        published = minute(each.published_at)
        table.add_row(shown(each.id), folded(of, 50), published, folded(each.published_by, 30))
    make_console().print(table if table.row_count else Text("No badge is published."))


@command
async def withdraw(client: ApiClient, common: Common, badge: str) -> None:
    """`dryrun badge withdraw ID`."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{22}", badge):
        raise WrongUseError(f"{badge!r} is not a badge's id; see: dryrun badge list")
    await client.ask("DELETE", f"/dryrun/badges/{badge}")
    write_removed(common, badge, "It is withdrawn: its address answers 404.")


async def _wanted(client: ApiClient, template: str | None, schedule: str | None) -> PublishRequest:
    if template is None:
        return PublishRequest(schedule_id=await find_schedule(client, schedule or ""))
    return PublishRequest(template=checked_template(template))


async def _known(client: ApiClient, wanted: PublishRequest, answer: JsonValue) -> Badge:
    """Return a badge. Raises ApiRefusedError for one of a template that is neither measured nor installed."""
    badge = read_word(Badge, answer, "a badge")
    if wanted.template and badge.at is None:
        await require_template(client, wanted.template)
    return badge
