"""`dryrun destination` and `dryrun delivery`: declarations only."""

from pathlib import Path
from typing import Annotated

import typer

from dryrun_cli.options import ApiUrlOption, JsonOption, common_options, run
from dryrun_cli.whole_help import WholeHelpGroup

destination_app = typer.Typer(
    cls=WholeHelpGroup,
    help="Destinations of approved discoveries.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
delivery_app = typer.Typer(
    cls=WholeHelpGroup,
    help="Deliver approved discoveries to systems of record.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
DestinationArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the destination.")]
DeliveryArgument = Annotated[str, typer.Argument(metavar="ID", help="Delivery id, or its beginning.")]


@destination_app.command("add")
def add_destination(
    context: typer.Context,
    name: DestinationArgument,
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="webhook, netbox, diode, ndjson, csv or servicenow.")
    ],
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="Its address; files have none.")
    ] = None,
    credential: Annotated[
        str | None,
        typer.Option(
            "--credential", metavar="NAME", help="Name of the credential that the delivering process has."
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="KIND", help="Only this kind; repeatable.")
    ] = None,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Add a destination for approved discoveries."""
    from dryrun_cli.commands import deliveries

    common = common_options(context, json_output, api_url)
    run(deliveries.add_destination(common, name, kind, url, credential, only or ()))


@destination_app.command("list")
def list_destinations(
    context: typer.Context, json_output: JsonOption = False, api_url: ApiUrlOption = None
) -> None:
    """List destinations."""
    from dryrun_cli.commands import deliveries

    run(deliveries.list_destinations(common_options(context, json_output, api_url)))


@destination_app.command("remove")
def remove_destination(
    context: typer.Context,
    name: DestinationArgument,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Remove a destination with its deliveries; nothing is deleted there."""
    from dryrun_cli.commands import deliveries

    run(deliveries.remove_destination(common_options(context, json_output, api_url), name))


@delivery_app.command("preview")
def preview(
    context: typer.Context,
    name: DestinationArgument,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Show what would be created, changed, removed and left alone; nothing is sent."""
    from dryrun_cli.commands import deliveries

    run(deliveries.preview(common_options(context, json_output, api_url), name))


@delivery_app.command("list")
def list_deliveries(
    context: typer.Context, json_output: JsonOption = False, api_url: ApiUrlOption = None
) -> None:
    """List deliveries, newest first."""
    from dryrun_cli.commands import deliveries

    run(deliveries.list_all(common_options(context, json_output, api_url)))


@delivery_app.command("show")
def show_delivery(
    context: typer.Context,
    delivery: DeliveryArgument,
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", help="Only items in this state, e.g. dead.")
    ] = None,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Show the progress of a delivery, and what the destination answered."""
    from dryrun_cli.commands import deliveries

    run(deliveries.show(common_options(context, json_output, api_url), delivery, state))


@delivery_app.command("approve")
def approve(
    context: typer.Context,
    delivery: DeliveryArgument,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Approve a previewed delivery, so that it is sent."""
    from dryrun_cli.commands import deliveries

    run(deliveries.change(common_options(context, json_output, api_url), delivery, "approve"))


@delivery_app.command("discard")
def discard(
    context: typer.Context,
    delivery: DeliveryArgument,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Discard a preview."""
    from dryrun_cli.commands import deliveries

    run(deliveries.change(common_options(context, json_output, api_url), delivery, "discard"))


@delivery_app.command("resend")
def resend(
    context: typer.Context,
    delivery: DeliveryArgument,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Send again what was given up."""
    from dryrun_cli.commands import deliveries

    run(deliveries.change(common_options(context, json_output, api_url), delivery, "resend"))


@delivery_app.command("fetch")
def fetch(
    context: typer.Context,
    delivery: DeliveryArgument,
    form: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="ndjson, csv or servicenow.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there, not to stdout.")
    ] = None,
    json_output: JsonOption = False,
    api_url: ApiUrlOption = None,
) -> None:
    """Save an approved delivery as a file."""
    from dryrun_cli.commands import deliveries

    run(deliveries.fetch(common_options(context, json_output, api_url), delivery, form, output))
