"""Options that several commands have, and how a command is run: what it needs is imported then."""

import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from dryrun_cli import completion
from dryrun_cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from dryrun_cli.commands.command import Common

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON (ASCII only) instead of text.")]
ApiUrlOption = Annotated[
    str | None,
    typer.Option(
        "--api-url",
        metavar="URL",
        help="Address of the approval API; default: DRYRUN_API_URL, else 127.0.0.1:8470.",
    ),
]
PlainOption = Annotated[bool, typer.Option("--plain", help="Print one line per event, even on a terminal.")]
SessionArgument = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="Session id, its beginning, or 'last'.", autocompletion=completion.complete_session
    ),
]
CriteriaOption = Annotated[
    Path | None,
    typer.Option(
        "--criteria",
        metavar="FILE",
        help="Criteria (YAML or JSON) to judge the report by; see: dryrun criteria.",
    ),
]


def common_options(context: typer.Context, json_output: bool, api_url: str | None) -> "Common":
    """Return the options that every command has, given before or after its name."""
    from dryrun_cli.commands.command import Common

    json_before, api_url_before = context.obj
    return Common(json_output=json_output or json_before, api_url=api_url or api_url_before)


def run(command: Coroutine[Any, Any, ExitCode]) -> NoReturn:
    """Run a command and exit with its code."""
    import asyncio

    try:
        code = asyncio.run(command)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader is gone. Python would report that once more while closing standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.PIPE_CLOSED
    raise typer.Exit(code)
