"""The commands `dryrun-local images`."""

from pathlib import Path
from typing import Annotated

import typer

from dryrun_local.command_line import AddOption, JsonOption, group, run_work

app = group("Build and list the images that sessions run.")


@app.command("build")
def build_images(
    add: AddOption = None,
    force: Annotated[bool, typer.Option("--force", help="Build every image, changed or not.")] = False,
) -> None:
    """Build the images whose folder changed, and pin them in the allowlist."""
    from dryrun_local.images.commands import build

    run_work(lambda here: build(here.installation, here.screen, force=force), add=add)


@app.command("services")
def build_service_images() -> None:
    """Build the services' own images, for a deployment by deploy/compose.yaml."""
    from dryrun_local.images.commands import build_services

    run_work(lambda here: build_services(here.installation, here.screen))


@app.command("list")
def list_images(add: AddOption = None, json_output: JsonOption = False) -> None:
    """List the images, their sizes and whether they are current."""
    from dryrun_local.images.commands import show

    run_work(
        lambda here: show(here.installation, here.screen, as_json=json_output), add=add, to_error=json_output
    )


@app.command("export")
def export_images(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, a tar.")],
    experiment: Annotated[
        Path | None,
        typer.Option(
            "--experiment", metavar="FILE", help="Only what this experiment needs; every image otherwise."
        ),
    ] = None,
    add: AddOption = None,
) -> None:
    """Write built images to a file, to cache them or to carry them to another machine."""
    from dryrun_local.images.commands import export

    run_work(lambda here: export(here.installation, here.screen, file, experiment), add=add)


@app.command("import")
def import_images(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that images export wrote.")],
    add: AddOption = None,
) -> None:
    """Load the images that this machine lacks from a file, compared by digest, and pin them."""
    from dryrun_local.images.commands import take

    run_work(lambda here: take(here.installation, here.screen, file), add=add)


@app.command("distribute")
def distribute_images(
    hosts: Annotated[
        list[str],
        typer.Argument(metavar="HOST", help="Engines of a fleet's hosts, e.g. ssh://root@beta."),
    ],
) -> None:
    """Copy the images that other hosts lack to their engines, and compare their ids.

    Exit codes: 0 every host has all images; 1 one does not, and the command names it.
    """
    from dryrun_local.images.commands import spread

    if not all(host.strip() for host in hosts):
        # Docker takes an empty one for this machine's engine, which lacks nothing.
        raise typer.BadParameter("an empty one names no engine", param_hint="'HOST'")
    run_work(lambda here: spread(here.installation, here.screen, hosts))
