"""Prints what `dryrun-local` does, in short lines. `dryrun_cli` draws the session itself."""

from contextlib import AbstractContextManager, suppress

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from dryrun_cli.commands.command import make_console
from dryrun_cli.drawing.glyphs import glyphs_for
from dryrun_cli.drawing.wrapping import wrapped
from dryrun_local.terminal.long_work import LongWork, shown


class Screen:
    """Prints to standard output, or to standard error where standard output is for programs."""

    def __init__(self, *, to_error: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, markup=False) if to_error else make_console()
        self.glyphs = glyphs_for(self.console.encoding)

    def say(self, text: str, style: str = "") -> None:
        """Print a line as it is."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    def done(self, what: str, rest: str = "") -> None:
        """Print that a step is done."""
        self._line(self.glyphs.done, "green", what, rest)

    def warn(self, what: str, rest: str = "") -> None:
        """Print a problem, on a terminal in lines that fit."""
        first, *others = f"{what}  {rest}".rstrip().splitlines() or [""]
        if not self.console.is_terminal or (not others and cell_len(first) + 2 <= self.console.width):
            self._line(self.glyphs.bad, "bold red", what, rest)
            return
        sign = self.glyphs.bad
        top, *further = wrapped(f"{sign} {first}", self.console.width, 2)
        text = Text(sign, "bold red").append(top.removeprefix(sign), "default")
        self.console.print(text, soft_wrap=True)
        for line in (*further, *others):
            indent = max(2, len(line) - len(line.lstrip()))
            for part in wrapped(" " * indent + line.lstrip(), self.console.width, indent + 2):
                self.say(part)

    def note(self, what: str, rest: str = "") -> None:
        """Print something worth knowing."""
        self._line(self.glyphs.dot, "dim", what, rest)

    def note_to_nobody(self, what: str, rest: str = "") -> None:
        """Print as `note` does while something is cleaned up: a reader who is gone ends no cleanup."""
        with suppress(OSError, SystemExit):  # Rich ends the program where a pipe is closed
            self.note(what, rest)

    def _line(self, sign: str, style: str, what: str, rest: str) -> None:
        line = Text(f"{sign} ", style=style).append(what, "default")
        if rest:
            line.append(f"  {rest}", "dim")
        self.console.print(line, soft_wrap=True)

    def busy(self, what: str) -> AbstractContextManager[LongWork]:
        """Show during the block that something goes on, and how far it is."""
        return shown(self.console, what)
