"""Help and usage errors that are wrapped where the terminal is narrow, and never cut."""

import io
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

_WHOLE: Final = 1000
"""More characters than any summary has."""
_REQUIRED: Final = re.compile(r"\{(.+)\}")
_TYPE: Final = re.compile(r" <(?:list\[)?[A-Za-z]+\]?>$")
_RANGE: Final = re.compile(r"\b([0-9]+)<=x<=([0-9]+)\]")
_LEAST: Final = re.compile(r"\bx>=([0-9]+)\]")


class WholeHelpCommand(TyperCommand):
    """A command whose help names arguments and ranges as people write them, and no types of Python."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what follows the name: an argument that is required stands by itself, as in manuals."""
        return [_REQUIRED.sub(r"\1", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options."""
        write = formatter.write_dl

        def write_plain(rows: list[tuple[str, str]], *further: Any, **named: Any) -> None:
            plain = [(_TYPE.sub("", name), _in_plain_ranges(text)) for name, text in rows]
            write(plain, *further, **named)

        formatter.write_dl = write_plain
        super().format_options(ctx, formatter)


class WholeHelpGroup(TyperGroup):
    """A group of commands whose help cuts no summary; Click ends those with "..." that need a second line."""

    def main(self, *arguments: Any, **named: Any) -> Any:
        """Run a command line and exit; a usage error is wrapped as other errors are."""
        try:
            code = super().main(*arguments, **{**named, "standalone_mode": False})
        except TyperException as error:
            shown: Any = _in_own_words(error)
            if _is_json_wanted(named.get("args", arguments[0] if arguments else None)):
                _write_problem(shown.format_message())
            else:
                shown.show(_Wrapped() if sys.stderr.isatty() else sys.stderr)
            code = error.exit_code
        sys.exit(code)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command; one that only groups have is named where it is."""
        try:
            return super().resolve_command(ctx, args)
        except TyperException as error:
            groups = [
                name
                for name, command in self.commands.items()
                if isinstance(command, TyperGroup) and args[0] in command.commands
            ]
            if groups:
                elsewhere = " or ".join(f"{ctx.command_path} {name} {args[0]}" for name in groups)
                error.message = f"{error.message} There is: {elsewhere}"
            raise

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands with their summaries."""
        named = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [
            (name, command.get_short_help_str(_WHOLE))
            for name, command in named
            if command is not None and not command.hidden
        ]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


class WholeHelp(typer.Typer):
    """Groups and commands with such help.

    Plain help starts in half the time of drawn help, and a server's text in an error is never markup.
    """

    def __init__(self, *, cls: type[TyperGroup] = WholeHelpGroup, **more: Any) -> None:
        """Take what Typer takes."""
        super().__init__(cls=cls, rich_markup_mode=None, **more)

    def command[Function: Callable[..., Any]](  # type: ignore[override]  # Typer's own words are passed on
        self, *named: str, **more: Any
    ) -> Callable[[Function], Function]:
        """Register a function as a command."""
        return super().command(*named, cls=WholeHelpCommand, **more)


def _in_plain_ranges(text: str) -> str:
    """Return a line of help whose bounds are written as people write them.

    >>> _in_plain_ranges("Seed.  [default: 0; 0<=x<=9999]"), _in_plain_ranges("Hosts.  [x>=1]")
    ('Seed.  [default: 0; 0 to 9999]', 'Hosts.  [at least 1]')
    """
    return _LEAST.sub(r"at least \1]", _RANGE.sub(r"\1 to \2]", text))


def _in_own_words(error: TyperException) -> TyperException:
    """Return a usage error without the words of the library that read the value."""
    cause = error.__cause__
    if cause is None:
        return error
    # Only an error needs them.
    from pydantic import ValidationError

    from dryrun_contract.fault_words import in_words
    from dryrun_contract.text import printable

    if isinstance(cause, ValidationError):
        fault = cause.errors(include_url=False)[0]
        given = (
            "" if fault["type"] == "value_error" else f", not {printable(str(fault['input']), limit=64)!r}"
        )
        error.message = in_words(fault) + given
    return error


def _is_json_wanted(words: Sequence[str] | None) -> bool:
    """Whether a command line that was not understood asks for JSON.

    >>> _is_json_wanted(["--json", "show"]), _is_json_wanted(["show", "--", "--json"])
    (True, False)
    """
    given = list(sys.argv[1:] if words is None else words)
    return "--json" in (given[: given.index("--")] if "--" in given else given)


def _write_problem(what: str) -> None:
    # Only an error needs them.
    from dryrun_cli.drawing.safe_text import ascii_json
    from dryrun_cli.errors import WrongUseError, problem_of

    sys.stderr.write(ascii_json(problem_of(WrongUseError(what))) + "\n")


class _Wrapped(io.StringIO):
    """What is written to standard error in lines as wide as its terminal."""

    def write(self, text: str) -> int:
        # Only an error needs them.
        from rich.console import Console

        from dryrun_cli.drawing.wrapping import wrapped

        width = Console(stderr=True).width
        lines = [part for line in text.split("\n") for part in wrapped(line, width, 7)]
        sys.stderr.write("\n".join(lines))
        return len(text)
