"""What `dryrun-local` says about its own work: short lines, beside what `dryrun` draws of a session."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from dryrun_cli.command_frame import make_console
from dryrun_cli.glyphs import glyphs_for


class Screen:
    """Speaks on standard output, or on standard error where the output is for programs."""

    def __init__(self, *, to_error: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, markup=False) if to_error else make_console()
        self.glyphs = glyphs_for(self.console.encoding)

    def say(self, words: str, style: str = "") -> None:
        """Say one thing."""
        self.console.print(Text(words, style=style), soft_wrap=True)

    def done(self, what: str, rest: str = "") -> None:
        """Say that a step is done."""
        self._line(self.glyphs.done, "green", what, rest)

    def warn(self, what: str, rest: str = "") -> None:
        """Say that something is not as it should be."""
        self._line(self.glyphs.bad, "bold red", what, rest)

    def note(self, what: str, rest: str = "") -> None:
        """Say something by the way."""
        self._line(self.glyphs.dot, "dim", what, rest)

    def _line(self, sign: str, style: str, what: str, rest: str) -> None:
        line = Text(f"{sign} ", style=style).append(what, "default")
        if rest:
            line.append(f"  {rest}", "dim")
        self.console.print(line, soft_wrap=True)

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Show that something goes on, on a terminal."""
        if self.console.is_terminal:
            with self.console.status(Text(what)):
                yield
        else:
            yield
