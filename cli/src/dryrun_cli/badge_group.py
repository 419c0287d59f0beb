"""`dryrun badge`: declarations only."""

from typing import Annotated

import typer

from dryrun_cli.options import ApiUrlOption, JsonOption, common_options, run
from dryrun_cli.whole_help import WholeHelpGroup

badge_app = typer.Typer(
    cls=WholeHelpGroup,
    help="Badges of templates and schedules, and who may read them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
TemplateArgument = Annotated[str | None, typer.Argument(metavar="TEMPLATE", help="Template id.")]
ScheduleOption = Annotated[str | None, typer.Option("--schedule", metavar="ID", help="A schedule instead.")]


@badge_app.command("show")
def show_badge(
    context: typer.Context,
    template: TemplateArgument = None,
    schedule: ScheduleOption = None,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Show the result of the newest measured session of a template, or run of a schedule."""
    from dryrun_cli.commands import badges

    _require_one(template, schedule)
    run(badges.show(common_options(context, json_output, api_url), template, schedule))


@badge_app.command("publish")
def publish_badge(
    context: typer.Context,
    template: TemplateArgument = None,
    schedule: ScheduleOption = None,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Publish a badge: whoever knows its address reads it without signing in (administrators)."""
    from dryrun_cli.commands import badges

    _require_one(template, schedule)
    run(badges.publish(common_options(context, json_output, api_url), template, schedule))


@badge_app.command("list")
def list_badges(
    context: typer.Context, json_output: JsonOption = False, api_url: ApiUrlOption = None
) -> None:
    """List published badges, newest first (administrators)."""
    from dryrun_cli.commands import badges

    run(badges.list_all(common_options(context, json_output, api_url)))


@badge_app.command("withdraw")
def withdraw_badge(
    context: typer.Context,
    badge: Annotated[str, typer.Argument(metavar="ID", help="As `dryrun badge list` shows it.")],
    api_url: ApiUrlOption = None,
) -> None:
    """Withdraw a published badge (administrators)."""
    from dryrun_cli.commands import badges

    run(badges.withdraw(common_options(context, False, api_url), badge))


def _require_one(template: str | None, schedule: str | None) -> None:
    if (template is None) == (schedule is None):
        raise typer.BadParameter("name a template or a schedule", param_hint="'TEMPLATE', '--schedule'")
