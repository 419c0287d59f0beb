"""The commands `dryrun-local network` and `template`: replicas of networks of yours."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dryrun_contract.text import printable
from dryrun_local.command_line import JsonOption, group, run_work

if TYPE_CHECKING:
    from dryrun_contract.network import AnyNetwork

app = group("Make replicas: templates that stand for a network of yours.")

template_app = group("Check the templates of replicas.")

NetworkName = Annotated[str, typer.Argument(metavar="NAME", help="The replica's name, see network list.")]


@app.command("import")
def import_network(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="What you know of the network: a scan by nmap, masscan, naabu, httpx or zgrab2, exports of "
            "NetBox, a table, a Compose file, Diode entities, discoveries, a report. Several files are one "
            "network.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="Name of the replica and of its template. A bundle brings its own.",
        ),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be built, and stop.")] = False,
    all_hosts: Annotated[
        bool, typer.Option("--all", help="Take every host, in as many templates as necessary.")
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, max=9999, help="Choose another sample.")
    ] = 0,
    keep_names: Annotated[
        bool,
        typer.Option(
            "--keep-names", help="Keep the network's names, titles and certificates; they show in reports."
        ),
    ] = False,
    file_format: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="The files' format, if it is not recognised."),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", metavar="DIGEST", help="Take a bundle only if it has this SHA-256."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the replica of this name by one of another network.")
    ] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude",
            metavar="CIDR",
            help="What the collectors will not scan: hosts with all their addresses there are left out. "
            "Repeatable.",
        ),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Make a replica of your network: plan, build, verify from inside, install.

    A bundle of `network export` is installed as it is, after its images were compared and verified.

    Exit codes: 0 installed, or planned with --plan; 1 the files were refused, with every fault and its place,
    or a stand-in could not be built or is not what its ground truth says.
    """
    if json_output and not plan:
        raise typer.BadParameter("only a plan can be JSON; add --plan", param_hint="--json")
    from dryrun_local.replicas.importing import import_network as make
    from dryrun_local.replicas.moving import import_bundle, is_bundle
    from dryrun_local.replicas.planning import ImportOptions, plan_only

    if len(files) > 1 and (bundles := [file for file in files if is_bundle((file,))]):
        raise typer.BadParameter(f"{printable(bundles[0].name)} is a bundle, which is imported alone")
    if is_bundle(tuple(files)):
        if plan or all_hosts or keep_names or seed or name or file_format or exclude:
            what = f"{printable(files[0].name)} is a bundle, which is installed as it is"
            raise typer.BadParameter(f"{what}; leave the other options out")
        run_work(
            lambda here: import_bundle(
                here.installation, here.screen, files[0], sha256=sha256, replace=replace
            )
        )
        return
    if name is None or sha256 is not None:
        why = "an inventory needs --name NAME" if name is None else "--sha256 is for bundles"
        raise typer.BadParameter(why)
    left_out = tuple(map(_excluded, exclude or ()))
    options = ImportOptions(tuple(files), name, file_format, seed, all_hosts, keep_names, replace, left_out)
    if plan:
        run_work(
            lambda here: plan_only(here.installation, options, here.screen, as_json=json_output),
            to_error=json_output,
        )
    else:
        run_work(lambda here: make(here.installation, options, here.screen))


def _excluded(text: str) -> "AnyNetwork":
    from dryrun_contract.network import plain_network

    try:
        return plain_network(text)
    except ValueError as error:
        raise typer.BadParameter(f"{printable(text, limit=64)!r}: {error}", param_hint="--exclude") from None


@app.command("list")
def list_networks(json_output: JsonOption = False) -> None:
    """List the replicas, and what they lack."""
    from dryrun_local.replicas.commands import list_replicas

    run_work(
        lambda here: list_replicas(here.installation, here.screen, as_json=json_output), to_error=json_output
    )


@app.command("show")
def show_network(name: NetworkName, json_output: JsonOption = False) -> None:
    """Show what a replica was made from, what stands for what, and what it lacks."""
    from dryrun_local.replicas.commands import show_replica

    run_work(
        lambda here: show_replica(here.installation, here.screen, name, as_json=json_output),
        to_error=json_output,
    )


@app.command("export")
def export_network(
    name: NetworkName,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")],
    present: Annotated[
        Path | None,
        typer.Option(
            "--present",
            metavar="FILE",
            help="Leave out layers that the other machine has: FILE is the output of `network layers` there.",
        ),
    ] = None,
) -> None:
    """Write a replica with its images to a file, for `network import` on another machine."""
    from dryrun_local.replicas.moving import export_network as export

    run_work(lambda here: export(here.installation, here.screen, name, output, present))


@app.command("layers")
def list_network_layers() -> None:
    """Print the layers that this machine's engine has, for `network export --present` on another machine."""
    from dryrun_local.replicas.moving import list_layers

    run_work(lambda here: list_layers(here.screen))


@app.command("remove")
def remove_network(name: NetworkName) -> None:
    """Uninstall a replica with its templates; its images stay in the engine."""
    from dryrun_local.replicas.commands import remove_replica

    run_work(lambda here: remove_replica(here.installation, here.screen, name))


@template_app.command("verify")
def verify_template(name: NetworkName) -> None:
    """Check from inside each stand-in of a replica that its ground truth is true.

    The replica stays installed. Exit codes: 0 every fact is true; 1 the faults are listed.
    """
    from dryrun_local.replicas.commands import verify_replica

    run_work(lambda here: verify_replica(here.installation, here.screen, name))
