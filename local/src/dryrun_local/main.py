"""The command line `dryrun-local`. Only declarations: what a command needs is imported when it runs."""

import logging
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dryrun_local.terminal.interruption import Interruption
    from dryrun_local.terminal.screen import Screen

app = typer.Typer(
    help="Run dry-runs on this machine: starts everything that they need, and stops it again.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
images_app = typer.Typer(
    help="Build and list the images that sessions run.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(images_app, name="images")
network_app = typer.Typer(
    help="Make templates that stand for a network of yours.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(network_app, name="network")

collector_app = typer.Typer(
    help="Take over scanners whose images are on this machine.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(collector_app, name="collector")

AddOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--add",
        metavar="DIR",
        envvar="DRYRUN_ADD",
        help="A folder of yours with images/, manifests/, readers/, templates/; may be given several times.",
    ),
]
template_app = typer.Typer(
    help="Check templates that stand for networks.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(template_app, name="template")

NetworkName = Annotated[str, typer.Argument(metavar="NAME", help="The network's name, see network list.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")]


@app.command()
def demo(
    template: Annotated[
        str, typer.Option("--template", "-t", metavar="ID", help="The simulated network to build.")
    ] = "small",
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=9999, help="Choose a variant of the template.")
    ] = 0,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Leave the network up after the scan, until Ctrl-C or its deadline."),
    ] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Print one line per event, also on a terminal.")
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per event, the report last.")
    ] = False,
    criteria: Annotated[
        Path | None,
        typer.Option(
            "--criteria",
            metavar="FILE",
            help="Criteria (YAML or JSON); exit code 5 if they are not met.",
        ),
    ] = None,
    add: AddOption = None,
    show_timings: Annotated[bool, typer.Option("--timings", help="Show where the time went.")] = False,
) -> None:
    """Run one session from start to report, and leave nothing behind.

    Exit codes: 0 the session completed, and met the criteria of --criteria if given; 1 it did not complete;
    5 it did not meet them; 130 Ctrl-C.
    """
    from dryrun_local.terminal.timings import Timings

    timings = Timings()
    from dryrun_local.machine.installation import Installation
    from dryrun_local.runs.demo import Demo, Options
    from dryrun_local.terminal.screen import Screen

    timings.mark("program loaded")
    options = Options(template, seed, keep, plain, json_output, show_timings, criteria)
    screen = Screen(to_error=json_output)
    _run(Demo(Installation.here(add or ()), options, screen, timings).run, screen)


@app.command()
def up(add: AddOption = None) -> None:
    """Run all services until Ctrl-C, and print how to use them."""
    from dryrun_local.machine.installation import Installation
    from dryrun_local.runs.up import up as serve
    from dryrun_local.terminal.screen import Screen
    from dryrun_local.terminal.timings import Timings

    screen, timings = Screen(), Timings()
    _run(lambda interruption: serve(Installation.here(add or ()), screen, timings, interruption), screen)


@app.command()
def ci(
    experiment: Annotated[
        Path, typer.Option("--experiment", metavar="FILE", help="The experiment to run (YAML).")
    ],
    baseline: Annotated[
        Path, typer.Option("--baseline", metavar="FILE", help="What to compare with; committed beside it.")
    ],
    criteria: Annotated[
        Path | None,
        typer.Option("--criteria", metavar="FILE", help="Criteria that most sessions have to meet."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML: a test for each fact.")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option("--summary", metavar="FILE", help="Write Markdown for the job's page.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write everything as JSON.")
    ] = None,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="Write the baseline from this run, and compare nothing.")
    ] = False,
    add: AddOption = None,
) -> None:
    """Run an experiment, and fail when a scanner has lost what it found before.

    Exit codes: 0 passed; 1 facts were lost, or criteria are not met; 2 the command line or a file is wrong,
    or the baseline does not fit; 3 it could not be measured; 130 Ctrl-C.
    """
    from dryrun_local.ci.command import Ci, Options
    from dryrun_local.machine.installation import Installation
    from dryrun_local.terminal.screen import Screen
    from dryrun_local.terminal.timings import Timings

    options = Options(experiment, baseline, criteria, junit, summary, json_file, update_baseline)
    screen = Screen()
    _run(Ci(Installation.here(add or ()), options, screen, Timings()).run, screen)


@app.command()
def check(add: AddOption = None) -> None:
    """Check images, templates and collector manifests: all faults at once, nothing has to be built."""
    from dryrun_local.machine.installation import Installation
    from dryrun_local.runs.check import check as check_files
    from dryrun_local.terminal.screen import Screen

    screen = Screen()

    async def work(_: "Interruption") -> int:
        return check_files(Installation.here(add or ()), screen)

    _run(work, screen)


@images_app.command("build")
def build_images(
    add: AddOption = None,
    force: Annotated[bool, typer.Option("--force", help="Build every image, changed or not.")] = False,
) -> None:
    """Build the images whose folder changed, and pin them in the allowlist."""
    from dryrun_local.images.commands import build
    from dryrun_local.machine.installation import Installation
    from dryrun_local.terminal.screen import Screen

    screen = Screen()
    _run(lambda _: build(Installation.here(add or ()), screen, force=force), screen)


@images_app.command("services")
def build_service_images() -> None:
    """Build the services' own images, for a deployment by deploy/compose.yaml."""
    from dryrun_local.images.commands import build_services
    from dryrun_local.machine.installation import Installation
    from dryrun_local.terminal.screen import Screen

    screen = Screen()
    _run(lambda _: build_services(Installation.here(), screen), screen)


@images_app.command("list")
def list_images(add: AddOption = None, json_output: JsonOption = False) -> None:
    """List the images, their sizes and whether they are current."""
    from dryrun_local.images.commands import show
    from dryrun_local.machine.installation import Installation
    from dryrun_local.terminal.screen import Screen

    screen = Screen(to_error=json_output)
    _run(lambda _: show(Installation.here(add or ()), screen, as_json=json_output), screen)


@images_app.command("export")
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
    from dryrun_cli.commands.experiments import read_request
    from dryrun_local.images.commands import export
    from dryrun_local.images.needed import images_of
    from dryrun_local.machine.installation import Installation
    from dryrun_local.terminal.screen import Screen

    screen, installation = Screen(), Installation.here(add or ())

    async def work(_: "Interruption") -> int:
        request = None if experiment is None else read_request(experiment)
        needed = None if request is None else images_of(installation, request.templates, request.seeds)
        return await export(installation, screen, file, needed)

    _run(work, screen)


@images_app.command("import")
def import_images(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that images export wrote.")],
    add: AddOption = None,
) -> None:
    """Load the images that this machine lacks from a file, compared by digest, and pin them."""
    from dryrun_local.images.commands import take
    from dryrun_local.machine.installation import Installation
    from dryrun_local.terminal.screen import Screen

    screen = Screen()
    _run(lambda _: take(Installation.here(add or ()), screen, file), screen)


@collector_app.command("add")
def add_collector(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="An image that is on this machine.")],
    manifest: Annotated[
        Path,
        typer.Option("--manifest", metavar="FILE", help="How it is called, and what it claims."),
    ],
    tmpfs: Annotated[
        list[str] | None,
        typer.Option(
            "--tmpfs", metavar="PATH=SIZE", help="A folder that it writes, in memory; its root is read-only."
        ),
    ] = None,
    trial: Annotated[bool, typer.Option(help="Run it once on a network of three machines.")] = True,
    add: AddOption = None,
) -> None:
    """Explain what the image may not do here, tag and pin it, install its manifest, and try it.

    Exit codes: 0 installed, and its trial was complete; 1 refused, with every fault and how to mend it, or
    the trial was not complete.
    """
    from dryrun_local.machine.installation import Installation
    from dryrun_local.runs.trial import add_and_try
    from dryrun_local.terminal.screen import Screen

    screen = Screen()
    installation = Installation.here(add or ())
    mounts = tuple(tmpfs or ())
    _run(
        lambda interruption: add_and_try(
            installation, screen, interruption, image=image, manifest=manifest, tmpfs=mounts, trial=trial
        ),
        screen,
    )


@collector_app.command("remove")
def remove_collector(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its manifest's name.")],
) -> None:
    """Uninstall a scanner that was added; its image stays in the engine."""
    from dryrun_local.machine.installation import Installation
    from dryrun_local.runs.trial import remove
    from dryrun_local.terminal.screen import Screen

    screen = Screen()
    _run(lambda _: remove(Installation.here(), screen, name), screen)


@collector_app.command("command")
def show_production_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its manifest's name.")],
    rehearsed: Annotated[
        Path, typer.Option("--rehearsed", metavar="REPORT", help="The session's report as JSON.")
    ],
    targets: Annotated[str, typer.Option("--targets", metavar="CIDR", help="The network to scan.")],
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="ADDRESS", help="No target; may be given several times."),
    ] = None,
    max_rate: Annotated[
        int | None, typer.Option("--max-rate", metavar="N", min=1, help="Packets per second, if chosen.")
    ] = None,
    add: AddOption = None,
) -> None:
    """Print the docker command of a production run that is exactly what a report rehearsed.

    Exit codes: 0 it is printed, and nothing was run; 1 the report does not cover it, with every difference.
    """
    from dryrun_local.collectors.production import production_command
    from dryrun_local.machine.installation import Installation
    from dryrun_local.terminal.screen import Screen

    installation = Installation.here(add or ())

    async def work(_: "Interruption") -> int:
        command = production_command(
            installation, name, rehearsed, targets=targets, exclude=exclude or (), max_rate=max_rate
        )
        sys.stdout.write(f"{command}\n")
        return 0

    _run(work, Screen(to_error=True))


@network_app.command("import")
def import_network(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="What you know of the network: a scan by nmap -oX, exports of NetBox, a table, a Compose "
            "file, Diode entities, discoveries, a report. Several files are one network.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The template's id; a bundle has its own.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be built, and stop.")] = False,
    all_hosts: Annotated[
        bool, typer.Option("--all", help="Take every host, in as many templates as it takes.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, max=9999, help="Choose another sample.")] = 0,
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
    json_output: JsonOption = False,
) -> None:
    """Make a template that stands for your network: plan, build, verify from inside, install.

    A bundle of `network export` is installed as it is, after its images were compared and verified.

    Exit codes: 0 installed, or planned with --plan; 1 the files were refused, with every fault and its place,
    or a stand-in could not be built or is not what its ground truth says.
    """
    if json_output and not plan:
        raise typer.BadParameter("only a plan can be JSON; add --plan", param_hint="--json")
    from dryrun_local.machine.installation import Installation
    from dryrun_local.replicas.importing import import_network as make
    from dryrun_local.replicas.moving import import_bundle, is_bundle
    from dryrun_local.replicas.planning import ImportOptions, plan_only
    from dryrun_local.terminal.screen import Screen

    if is_bundle(tuple(files)):
        if plan or all_hosts or keep_names or seed or name or file_format:
            raise typer.BadParameter("a bundle is installed as it is; leave the other options out")
        bundle = Screen()
        _run(lambda _: import_bundle(Installation.here(), bundle, files[0], sha256=sha256), bundle)
        return
    if name is None or sha256 is not None:
        why = "an inventory needs --name NAME" if name is None else "--sha256 is for bundles"
        raise typer.BadParameter(why)
    options = ImportOptions(tuple(files), name, file_format, seed, all_hosts, keep_names)
    screen = Screen(to_error=json_output)
    if plan:
        _run(lambda _: plan_only(Installation.here(), options, screen, as_json=json_output), screen)
    else:
        _run(lambda _: make(Installation.here(), options, screen), screen)


@network_app.command("list")
def list_networks(json_output: JsonOption = False) -> None:
    """List the networks that templates stand for."""
    from dryrun_local.machine.installation import Installation
    from dryrun_local.replicas.commands import list_replicas
    from dryrun_local.terminal.screen import Screen

    screen = Screen(to_error=json_output)
    _run(lambda _: list_replicas(Installation.here(), screen, as_json=json_output), screen)


@network_app.command("show")
def show_network(name: NetworkName, json_output: JsonOption = False) -> None:
    """Show what a network was made from, and what stands for what."""
    from dryrun_local.machine.installation import Installation
    from dryrun_local.replicas.commands import show_replica
    from dryrun_local.terminal.screen import Screen

    screen = Screen(to_error=json_output)
    _run(lambda _: show_replica(Installation.here(), screen, name, as_json=json_output), screen)


@network_app.command("export")
def export_network(
    name: NetworkName,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")],
    present: Annotated[
        Path | None,
        typer.Option(
            "--present", metavar="FILE", help="Leave out layers that are there: from `network layers` there."
        ),
    ] = None,
) -> None:
    """Write a network with its images to a file, for `network import` on another machine."""
    from dryrun_local.machine.installation import Installation
    from dryrun_local.replicas.moving import export_network as export
    from dryrun_local.terminal.screen import Screen

    screen = Screen()
    _run(lambda _: export(Installation.here(), screen, name, output, present), screen)


@network_app.command("layers")
def list_network_layers() -> None:
    """Print the layers that this machine's engine has, for `network export --present` on another machine."""
    from dryrun_local.replicas.moving import list_layers
    from dryrun_local.terminal.screen import Screen

    screen = Screen()
    _run(lambda _: list_layers(screen), screen)


@network_app.command("remove")
def remove_network(name: NetworkName) -> None:
    """Uninstall the templates of a network; its images stay in the engine."""
    from dryrun_local.machine.installation import Installation
    from dryrun_local.replicas.commands import remove_replica
    from dryrun_local.terminal.screen import Screen

    screen = Screen()
    _run(lambda _: remove_replica(Installation.here(), screen, name), screen)


@template_app.command("verify")
def verify_template(name: NetworkName) -> None:
    """Check from inside of each stand-in of a network that its ground truth is true.

    Exit codes: 0 every fact is true; 1 the faults are listed.
    """
    from dryrun_local.machine.installation import Installation
    from dryrun_local.replicas.commands import verify_replica
    from dryrun_local.terminal.screen import Screen

    screen = Screen()
    _run(lambda _: verify_replica(Installation.here(), screen, name), screen)


@app.command()
def doctor(json_output: JsonOption = False) -> None:
    """List what this machine lacks for dry-runs, and how to get it. Exit code 1 if anything is missing."""
    from dryrun_local.doctor.examination import examine
    from dryrun_local.machine.installation import Installation
    from dryrun_local.terminal.screen import Screen

    screen = Screen(to_error=json_output)
    _run(lambda _: examine(Installation.here(), screen, as_json=json_output), screen)


@app.command()
def reset() -> None:
    """Remove the state of local runs (sessions, database, secrets, logs); images and engine stay."""
    from dryrun_local.machine.installation import Installation
    from dryrun_local.runs.reset import reset as remove
    from dryrun_local.terminal.screen import Screen

    screen = Screen()
    _run(lambda _: remove(Installation.here(), screen), screen)


def _run(work: "Callable[[Interruption], Coroutine[Any, Any, int]]", screen: "Screen") -> None:
    from dryrun_cli.errors import CliError
    from dryrun_local.machine.errors import LocalError
    from dryrun_local.terminal.interruption import run

    # Ctrl-C ends child processes before asyncio does, and asyncio would log that each has gone already.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    try:
        code = run(work, screen.note)
    except (LocalError, CliError) as error:
        screen.warn(str(error))
        code = 1
    if code > 128:
        screen.note("Interrupted")
    raise typer.Exit(code)


def main() -> None:
    """Run `dryrun-local`."""
    # A character outside the terminal's encoding is printed as an escape, instead of ending the program.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    app()
