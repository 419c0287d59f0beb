"""Runs a command with settings and a client, and turns its errors into messages and exit codes."""

import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import IO, Any, Concatenate, Final, NoReturn, cast

from pydantic import JsonValue
from rich.console import Console, RenderableType

from dryrun_cli.api.client import ApiClient, open_client
from dryrun_cli.api.settings import read_settings
from dryrun_cli.drawing.glyphs import Glyphs, glyphs_for
from dryrun_cli.drawing.safe_text import ascii_json, inert
from dryrun_cli.drawing.trailing_blanks import WithoutTrailingBlanks
from dryrun_cli.drawing.wrapping import wrapped
from dryrun_cli.errors import ApiRefusedError, CliError, problem_of
from dryrun_cli.exit_codes import ExitCode
from dryrun_cli.invocation import Common

PIPE_WIDTH: Final = 200
MAX_LINES: Final = 50
"""Lines that are shown of an error's own text."""


type Command[**P] = Callable[Concatenate[Common, P], Coroutine[Any, Any, ExitCode]]


class _OutputConsole(Console):
    """Reports a reader who is gone as any output does; Rich would end the program with code 1."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def make_console() -> Console:
    """Return a console that prints text as it is: no markup, no emoji names, no guessed colours."""
    # In a pipe lines are long rather than cut, and end with their last word: a program reads them.
    is_terminal = sys.stdout.isatty()
    width = None if is_terminal or "COLUMNS" in os.environ else PIPE_WIDTH
    file = None if is_terminal else cast(IO[str], WithoutTrailingBlanks(sys.stdout))
    return _OutputConsole(file=file, highlight=False, markup=False, emoji=False, width=width)


def command[**P](
    body: Callable[Concatenate[ApiClient, Common, P], Awaitable[ExitCode | None]],
) -> Command[P]:
    """Return `body` as a command: it gets a client, and its errors become messages and exit codes.

    One that returns None has done what was asked for.
    """

    async def run(common: Common, /, *args: P.args, **kwargs: P.kwargs) -> ExitCode:
        try:
            async with open_client(read_settings(os.environ, common.api_url)) as client:
                return await body(client, common, *args, **kwargs) or ExitCode.OK
        except CliError as error:
            complain(error, json_output=common.json_output)
            return error.code

    run.__doc__ = body.__doc__
    return run


def complain(error: CliError, *, json_output: bool) -> None:
    """Write an error to standard error; with `json_output` as one JSON object."""
    refused = error if isinstance(error, ApiRefusedError) else None
    problem = refused.problem if refused is not None else None
    if json_output:
        sys.stderr.write(ascii_json(problem_of(error)) + "\n")
        return
    first, *others = (str(error) or "refused").splitlines()[:MAX_LINES] or ["refused"]
    lines = [f"error: {inert(first, 1000)}", *(f"       {inert(line.strip(), 1000)}" for line in others)]
    if refused is not None and problem is not None:
        if problem.status == 401:
            lines.append(
                "       set DRYRUN_API_TOKEN (or DRYRUN_API_TOKEN_FILE) to a token of the approval API"
            )
        # Several services sum their faults up in the detail.
        lines += [
            f"       {inert(shown, 1200)}"
            for shown, fault in zip(refused.faults, problem.faults, strict=True)
            if fault.what != str(error) and f"{fault.where}: {fault.what}" not in str(error)
        ]
        request = f", request {inert(problem.request_id)}" if problem.request_id else ""
        lines.append(f"       (refused with {problem.status} {inert(problem.title)}{request})")
    if sys.stderr.isatty():
        width = Console(stderr=True).width
        lines = [part for line in lines for part in wrapped(line, width, 7)]
    sys.stderr.write("\n".join(lines) + "\n")


def write(common: Common, answer: JsonValue, draw: Callable[[Glyphs], RenderableType]) -> None:
    """Write an answer of the API to standard output: as JSON, or as `draw` draws it."""
    if not wrote_json(common, answer):
        console = make_console()
        console.print(draw(glyphs_for(console.encoding)))


def write_removed(common: Common, what: str, sentence: str) -> None:
    """Write the id or the name of what was removed as JSON, or else a sentence about it."""
    if not wrote_json(common, {"removed": what}):
        sys.stdout.write(f"{sentence}\n")


def wrote_json(common: Common, answer: JsonValue) -> bool:
    """Write an answer as JSON if that is asked for; return whether it is."""
    if common.json_output:
        write_json(answer)
    return common.json_output


def write_json_line(value: JsonValue) -> None:
    """Write JSON as one line of standard output, also on a terminal: a line of a stream."""
    sys.stdout.write(ascii_json(value) + "\n")


def write_json(value: JsonValue) -> None:
    """Write JSON to standard output: one line for programs, indented on a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(ascii_json(value, indent=indent) + "\n")
