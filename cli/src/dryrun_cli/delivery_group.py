"""`dryrun destination` and `dryrun delivery`: declarations only."""

from pathlib import Path
from typing import Annotated

import typer

from dryrun_cli import commands
from dryrun_cli.invocation import Common
from dryrun_cli.options import CommandGroup, Running

destination_app = CommandGroup("Destinations of approved discoveries.", no_args_is_help=True)
delivery_app = CommandGroup("Deliver approved discoveries to systems of record.", no_args_is_help=True)
DestinationArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the destination.")]
DeliveryArgument = Annotated[str, typer.Argument(metavar="ID", help="Delivery id, or its beginning.")]


@destination_app.command("add")
def add_destination(
    common: Common,
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
) -> Running:
    """Add a destination for approved discoveries, and check whether it knows the credential."""
    return commands.deliveries.add_destination(common, name, kind, url, credential, only or ())


@destination_app.command("check")
def check_destination(common: Common, name: DestinationArgument) -> Running:
    """Ask a destination whether it knows its credential; exit code 1 if it does not, or does not answer."""
    return commands.deliveries.check_destination(common, name)


@destination_app.command("list")
def list_destinations(common: Common) -> Running:
    """List destinations."""
    return commands.deliveries.list_destinations(common)


@destination_app.command("remove")
def remove_destination(common: Common, name: DestinationArgument) -> Running:
    """Remove a destination with its deliveries; nothing is deleted there."""
    return commands.deliveries.remove_destination(common, name)


@delivery_app.command("preview")
def preview(common: Common, name: DestinationArgument) -> Running:
    """Show what would be created, changed, removed and left alone; nothing is sent."""
    return commands.deliveries.preview(common, name)


@delivery_app.command("list")
def list_deliveries(common: Common) -> Running:
    """List deliveries, newest first."""
    return commands.deliveries.list_all(common)


@delivery_app.command("show")
def show_delivery(
    common: Common,
    delivery: DeliveryArgument,
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", help="Only items in this state, e.g. given-up.")
    ] = None,
) -> Running:
    """Show the progress of a delivery, and what the destination answered."""
    return commands.deliveries.show(common, delivery, state)


@delivery_app.command("approve")
def approve(common: Common, delivery: DeliveryArgument) -> Running:
    """Approve a previewed delivery, so that it is sent."""
    return commands.deliveries.change(common, delivery, "approve")


@delivery_app.command("discard")
def discard(common: Common, delivery: DeliveryArgument) -> Running:
    """Discard a preview."""
    return commands.deliveries.change(common, delivery, "discard")


@delivery_app.command("resend")
def resend(common: Common, delivery: DeliveryArgument) -> Running:
    """Send again what was given up."""
    return commands.deliveries.change(common, delivery, "resend")


@delivery_app.command("fetch")
def fetch(
    common: Common,
    delivery: DeliveryArgument,
    form: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="ndjson, csv or servicenow.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there, not to stdout.")
    ] = None,
) -> Running:
    """Save an approved delivery as a file."""
    return commands.deliveries.fetch(common, delivery, form, output)
