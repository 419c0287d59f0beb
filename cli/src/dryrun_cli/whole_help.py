"""Help and usage errors that are wrapped where the terminal is narrow, and never cut."""

import io
import sys
from typing import Any, Final

from typer.core import TyperGroup
from typer.exceptions import TyperException

_WHOLE: Final = 1000
"""More characters than any summary has."""


class WholeHelpGroup(TyperGroup):
    """A group of commands whose help cuts no summary; Click ends those with "..." that need a second line."""

    def main(self, *arguments: Any, **named: Any) -> Any:
        """Run a command line and exit; a usage error is wrapped as other errors are."""
        try:
            code = super().main(*arguments, **{**named, "standalone_mode": False})
        except TyperException as error:
            shown: Any = error
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
