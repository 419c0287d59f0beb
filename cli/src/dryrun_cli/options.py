"""Options that several commands have, and how a command is run: what it needs is imported then."""

import os
import sys
from collections.abc import Callable, Coroutine
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from dryrun_cli import completion
from dryrun_cli.exit_codes import ExitCode
from dryrun_cli.invocation import Common
from dryrun_cli.whole_help import WholeHelp

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON (ASCII only) instead of text.")]
ApiUrlOption = Annotated[
    str | None,
    typer.Option(
        "--api-url",
        metavar="URL",
        help="Address of the approval API; default: DRYRUN_API_URL, else 127.0.0.1:8470.",
    ),
]
UnusedApiUrlOption = Annotated[str | None, typer.Option("--api-url", hidden=True)]
"""Taken by every command, so that scripts may pass it to all; not listed by one that works offline."""
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


type Running = Coroutine[Any, Any, ExitCode]


class CommandGroup(WholeHelp):
    """Commands, each of them with the options that every command has."""

    def __init__(self, help_text: str | None = None, **more: Any) -> None:
        """Describe the commands by `help_text`; `more` is Typer's."""
        super().__init__(help=help_text, **more)

    def command(  # type: ignore[override]  # of functions that Typer alone could not call
        self, *named: str, offline: bool = False, **more: Any
    ) -> Callable[[Callable[..., Running]], object]:
        """Register a function that gets `Common` first and returns the command, which is then run.

        The help of one that works `offline` lists no address of the API.
        """
        register = super().command(*named, **more)
        api_url = UnusedApiUrlOption if offline else ApiUrlOption
        return lambda function: register(_with_common_options(function, api_url))


def _with_common_options(function: Callable[..., Running], api_url_option: Any) -> Callable[..., NoReturn]:
    def called(context: typer.Context, json_output: bool, api_url: str | None, **own: Any) -> NoReturn:
        run(function(Common(json_output, api_url).or_else(context.obj), **own))

    def parameter(name: str, annotation: Any, default: Any = Parameter.empty) -> Parameter:
        return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)

    _, *own = signature(function).parameters.values()
    parameters = [
        parameter("context", typer.Context),
        *(parameter(each.name, each.annotation, each.default) for each in own),
        parameter("json_output", JsonOption, False),
        parameter("api_url", api_url_option, None),
    ]
    # Typer reads both.
    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    called.__name__, called.__doc__ = function.__name__, function.__doc__
    return called


def run(command: Running) -> NoReturn:
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
