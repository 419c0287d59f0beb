"""Removes the state of local runs in `.dryrun/`, after ending their leftover processes."""

import shutil

from dryrun_local.machine.installation import Installation
from dryrun_local.machine.lock import IMAGES, held
from dryrun_local.system.processes import end_leftovers
from dryrun_local.terminal.screen import Screen


async def reset(installation: Installation, screen: Screen) -> None:
    """Remove the state. Raises AlreadyRunningError while services run, or images are built."""
    if not installation.state.exists():
        screen.done("Nothing to remove")
        return
    with held(installation), held(installation, IMAGES):
        for name in await end_leftovers(installation):
            screen.note("Ended a process of an earlier run:", name)
        for path in installation.state.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    screen.done(f"Removed the contents of {installation.state}")
