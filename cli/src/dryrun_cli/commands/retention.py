"""The command on retention."""

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.reading import read_word
from dryrun_cli.commands.command import command, write
from dryrun_cli.drawing.retention_view import draw_retention
from dryrun_cli.invocation import Common
from dryrun_contract.retention import RetentionView


@command
async def show(client: ApiClient, common: Common) -> None:
    """`dryrun retention`."""
    answer = await client.ask("GET", "/retention")
    write(common, answer, lambda _: draw_retention(read_word(RetentionView, answer, "the retention policy")))
