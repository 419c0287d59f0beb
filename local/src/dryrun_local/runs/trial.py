"""Adds a scanner and runs it once, in a session like any other, on a network of three machines."""

from pathlib import Path

from pydantic import JsonValue

from dryrun_cli.api.reading import JsonObject
from dryrun_cli.exit_codes import ExitCode
from dryrun_local.collectors.adding import Added, add
from dryrun_local.collectors.installed import remove as uninstall
from dryrun_local.images.commands import prepare
from dryrun_local.machine.added_folders import gather
from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import IMAGES, held, is_held
from dryrun_local.runs.demo import Demo, Options
from dryrun_local.terminal.interruption import Interruption
from dryrun_local.terminal.screen import Screen
from dryrun_local.terminal.timings import Timings


async def add_and_try(
    installation: Installation,
    screen: Screen,
    interruption: Interruption,
    *,
    image: str,
    manifest: Path,
    tmpfs: tuple[str, ...],
    trial: bool,
) -> int:
    """Install a scanner and try it; return 0 when its trial was complete and harmed nothing, 5 if it did."""
    if not installation.allowlist.exists():
        # On a new checkout this is the first command: a scanner's row joins those of the project's images.
        await prepare(installation, screen)
    added = await add(installation, screen, image, manifest, tmpfs)
    # From now on its folder is one of those that are read.
    installation = Installation.here(installation.added)
    gather(installation)
    if not trial:
        return 0
    if is_held(installation):
        screen.note(f"Services run here; they take it over. Try it: dryrun start {added.template} --watch")
        return 0
    options = Options(template=added.template, judged_by=criteria_of_a_trial(added.name))
    demo = Demo(installation, options, screen, Timings())
    code = await demo.run(interruption)
    if code not in {ExitCode.OK, ExitCode.CRITERIA_NOT_MET}:
        return code
    return _conclude(demo.report, added, screen) or code


def criteria_of_a_trial(name: str) -> JsonObject:
    """Return what any scanner has to meet, however little it claims to find."""
    return {
        "collectors": {name: {"complete": True}},
        "targets_harmed_max": 0,
        "no_side_effects": True,
        "scope": True,
    }


async def remove(installation: Installation, screen: Screen, name: str) -> None:
    """Uninstall a scanner. Raises AlreadyRunningError while images are built: that writes the rows too."""
    with held(installation, IMAGES):
        image = uninstall(installation, name)
    gather(Installation.here(installation.added))
    screen.done(f"Removed {name}; its image stays in the engine: docker image rm {image}")


def _conclude(report: JsonValue, added: Added, screen: Screen) -> int:
    """Say how the trial went, and what to do about it; return 0 when it was complete."""
    runs = report.get("collectors") if isinstance(report, dict) else None
    for run in runs if isinstance(runs, list) else ():
        if isinstance(run, dict) and run.get("collector") == added.name:
            if run.get("complete"):
                screen.done(f"The trial was complete: {run.get('discoveries')} discoveries")
                return 0
            for hint in added.hints(str(run.get("reason"))):
                screen.note("Perhaps:", hint)
    screen.warn(
        f"The trial was not complete; fix it and add it again, or dryrun-local collector remove {added.name}"
    )
    return 1
