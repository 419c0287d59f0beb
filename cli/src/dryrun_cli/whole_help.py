"""Help that lists every command with its whole summary: wrapped where the terminal is narrow, never cut."""

from typing import Any, Final

from typer.core import TyperGroup

_WHOLE: Final = 1000
"""More characters than any summary has."""


class WholeHelpGroup(TyperGroup):
    """A group of commands whose help cuts no summary; Click ends those with "..." that need a second line."""

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
