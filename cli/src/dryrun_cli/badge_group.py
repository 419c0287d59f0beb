"""`dryrun badge`: declarations only."""

from typing import Annotated

import typer

from dryrun_cli import commands
from dryrun_cli.invocation import Common
from dryrun_cli.options import CommandGroup, Running

badge_app = CommandGroup("Badges of templates and schedules, and who may read them.", no_args_is_help=True)
TemplateArgument = Annotated[str | None, typer.Argument(metavar="TEMPLATE", help="Template id.")]
ScheduleOption = Annotated[str | None, typer.Option("--schedule", metavar="ID", help="A schedule instead.")]


@badge_app.command("show")
def show_badge(common: Common, template: TemplateArgument = None, schedule: ScheduleOption = None) -> Running:
    """Show the result of the newest measured session of a template, or run of a schedule."""
    _require_one(template, schedule)
    return commands.badges.show(common, template, schedule)


@badge_app.command("publish")
def publish_badge(
    common: Common, template: TemplateArgument = None, schedule: ScheduleOption = None
) -> Running:
    """Publish a badge: whoever knows its address can read it without signing in (administrators)."""
    _require_one(template, schedule)
    return commands.badges.publish(common, template, schedule)


@badge_app.command("list")
def list_badges(common: Common) -> Running:
    """List published badges, newest first (administrators)."""
    return commands.badges.list_all(common)


@badge_app.command("withdraw")
def withdraw_badge(
    common: Common,
    badge: Annotated[str, typer.Argument(metavar="ID", help="As `dryrun badge list` shows it.")],
) -> Running:
    """Withdraw a published badge (administrators)."""
    return commands.badges.withdraw(common, badge)


def _require_one(template: str | None, schedule: str | None) -> None:
    if (template is None) == (schedule is None):
        raise typer.BadParameter("name a template or a schedule", param_hint="'TEMPLATE', '--schedule'")
