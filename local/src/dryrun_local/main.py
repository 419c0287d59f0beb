"""The command line `dryrun-local`. Only declarations: what a command needs is imported when it runs."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from dryrun_cli.exit_codes import ExitCode
from dryrun_cli.full_output import FULL, end_without_output, escape_what_is_lacking
from dryrun_cli.whole_help import WholeHelp
from dryrun_local import collector_group, fleet_group, image_group, network_group
from dryrun_local.command_line import AddOption, Here, JsonOption, run_work

app = WholeHelp(
    help="Run dry-runs on this machine: starts everything that they need, and stops it again.",
    epilog="Exit codes: 0 done, 1 failed or refused, with the reason, 2 the command line is wrong, "
    "129 SIGHUP, 130 Ctrl-C, 141 the reader of the output closed it, 143 SIGTERM; what a signal ends is "
    "removed first. A command's own help names what else it ends with.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(image_group.app, name="images")
app.add_typer(fleet_group.app, name="fleet")
app.add_typer(network_group.app, name="network")
app.add_typer(collector_group.app, name="collector")
app.add_typer(network_group.template_app, name="template")


@app.command()
def demo(
    template: Annotated[
        str, typer.Option("--template", "-t", metavar="ID", help="The simulated network to build.")
    ] = "small",
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, max=9999, help="Choose a variant of the template.")
    ] = 0,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Leave the network up after the scan, until Ctrl-C or its deadline."),
    ] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Print one line per event, even on a terminal.")
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
    5 it did not meet them; 130 Ctrl-C; 143 SIGTERM.
    """
    from dryrun_local.terminal.timings import Timings

    timings = Timings()
    from dryrun_local.runs.demo import Demo, Options

    timings.mark("program loaded")
    options = Options(template, seed, keep, plain, json_output, show_timings, criteria)
    run_work(
        lambda here: Demo(here.installation, options, here.screen, timings).run(here.interruption),
        add=add,
        to_error=json_output,
    )


@app.command()
def up(add: AddOption = None) -> None:
    """Run all services until Ctrl-C, and print how to use them."""
    from dryrun_local.runs.up import up as serve
    from dryrun_local.terminal.timings import Timings

    timings = Timings()
    run_work(lambda here: serve(here.installation, here.screen, timings, here.interruption), add=add)


@app.command()
def ci(
    experiment: Annotated[
        Path, typer.Option("--experiment", metavar="FILE", help="The experiment to run (YAML).")
    ],
    baseline: Annotated[
        Path,
        typer.Option("--baseline", metavar="FILE", help="The baseline to compare with, usually committed."),
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
    or the baseline does not fit; 3 it could not be measured; 130 Ctrl-C; 143 SIGTERM.
    """
    from dryrun_local.ci.command import Ci, Options
    from dryrun_local.terminal.timings import Timings

    options = Options(experiment, baseline, criteria, junit, summary, json_file, update_baseline)
    run_work(
        lambda here: Ci(here.installation, options, here.screen, Timings()).run(here.interruption), add=add
    )


@app.command()
def check(add: AddOption = None) -> None:
    """Check images, templates and collector manifests: all faults at once, nothing has to be built."""
    from dryrun_local.runs.check import check as check_files

    async def work(here: Here) -> int:
        return check_files(here.installation, here.screen)

    run_work(work, add=add)


@app.command()
def doctor(json_output: JsonOption = False) -> None:
    """List what this machine lacks for dry-runs, and how to get it. Exit code 1 if anything is missing."""
    from dryrun_local.doctor.examination import examine

    run_work(lambda here: examine(here.installation, here.screen, as_json=json_output), to_error=json_output)


@app.command()
def reset() -> None:
    """Remove the state of local runs and of what was installed; images and engine stay.

    This removes sessions, database, secrets and logs, and also imported networks, added scanners and the
    allowlist. A deployment is prepared from that allowlist, too: `images build` writes it again.
    """
    from dryrun_local.runs.reset import reset as remove

    run_work(lambda here: remove(here.installation, here.screen))


def main() -> None:
    """Run `dryrun-local`."""
    escape_what_is_lacking()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Python would report that once more while closing standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.PIPE_CLOSED)
    except OSError as error:
        if error.errno not in FULL:
            raise
        end_without_output(error, 2)
