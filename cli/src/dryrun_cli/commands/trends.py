"""The command on trends."""

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import read_word
from dryrun_cli.commands.command import command, write
from dryrun_cli.commands.ids import checked_collector, checked_template, require_template
from dryrun_cli.commands.schedules import find_schedule
from dryrun_cli.drawing.trend_view import draw_trend
from dryrun_cli.invocation import Common
from dryrun_contract.trend import Trend


@command
async def show(
    client: ApiClient, common: Common, *, template: str | None, collector: str | None, schedule: str | None
) -> None:
    """`dryrun trend TEMPLATE` and `dryrun trend --schedule ID`."""
    if template is not None:
        params = {"template": checked_template(template)}
        params |= {} if collector is None else {"collector": checked_collector(collector)}
        answer = await client.ask("GET", "/dryrun/trends", params=params)
        if not read_word(Trend, answer, "a trend").points:
            await require_template(client, template, collector)
    else:
        schedule_id = await find_schedule(client, schedule or "")
        answer = await client.ask("GET", f"/dryrun/schedules/{schedule_id}/trend")
    write(common, answer, lambda _: draw_trend(read_word(Trend, answer, "a trend")))
