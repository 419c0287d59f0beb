"""Options that several commands share, and how a command runs."""

import errno
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dryrun_cli.whole_help import WholeHelp

if TYPE_CHECKING:
    from dryrun_local.machine.installation import Installation
    from dryrun_local.terminal.interruption import Interruption
    from dryrun_local.terminal.screen import Screen

AddOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--add",
        metavar="DIR",
        envvar="DRYRUN_ADD",
        help="Your own folder with images/, manifests/, readers/, templates/; may be given several times.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")]


def group(help_text: str) -> typer.Typer:
    """Return a group of commands, empty so far."""
    return WholeHelp(help=help_text, no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class Here:
    """What every command works with."""

    installation: "Installation"
    screen: "Screen"
    interruption: "Interruption"


def run_work(
    work: Callable[[Here], Coroutine[Any, Any, int | None]],
    *,
    add: Sequence[Path] | None = None,
    to_error: bool = False,
) -> None:
    """Run a command's work and end with its exit code; an error that says what to do ends with 1.

    `add`: the folders of AddOption. `to_error`: print to standard error, since the output is for programs.
    """
    from dryrun_cli.errors import CliError
    from dryrun_local.machine.added_folders import require_folders
    from dryrun_local.machine.errors import LocalError
    from dryrun_local.machine.installation import Installation
    from dryrun_local.terminal.interruption import run
    from dryrun_local.terminal.screen import Screen

    # Ctrl-C ends child processes before asyncio does, and asyncio would log that each has gone already.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    screen = Screen(to_error=to_error)
    try:
        installation = Installation.here(add or ())
        if add:
            require_folders(installation)
        code = run(lambda interruption: work(Here(installation, screen, interruption)), screen.note_to_nobody)
    except (LocalError, CliError) as error:
        screen.warn(str(error))
        code = 1
    except (OSError, ExceptionGroup) as error:
        if (full := _of_full_disk(error)) is None:
            raise
        # Where it is the output that is full, `main` says so.
        sys.stdout.flush()
        where = "" if full.filename is None else f" for {full.filename}"
        screen.warn(f"no space left on the disk{where}; free some, and repeat the command")
        code = 1
    if code > 128:
        screen.note("Interrupted")
    raise typer.Exit(code)


def _of_full_disk(error: Exception) -> OSError | None:
    """Return the error that a disk is full, also of one of several tasks; None where it is another one."""
    if isinstance(error, ExceptionGroup):
        return next(filter(None, map(_of_full_disk, error.exceptions)), None)
    return error if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT} else None
