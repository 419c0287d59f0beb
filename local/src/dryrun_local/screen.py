"""What `dryrun-local` says about its own work: short lines, beside what `dryrun` draws of a session."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from dryrun_cli.command_frame import make_console
from dryrun_cli.glyphs import glyphs_for
from dryrun_contract.text import printable
from dryrun_local.images import ImageEvent

_NAME_WIDTH = 42


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


class ImageScreen:
    """A line for each image that is built; nothing but a count for those that need nothing."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._running: dict[str, tuple[str, float, Spinner]] = {}
        self._unchanged = 0
        self._built = 0
        self._live = Live(
            console=screen.console, refresh_per_second=8, transient=True, get_renderable=self._drawn
        )

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Hold the terminal while images are built, and say at a good end what there is."""
        try:
            yield
        finally:
            self._live.stop()
        words = f"Images: {self._built + self._unchanged} ready"
        self._screen.done(words, f"{self._built} built" if self._built else "none had changed")

    def tell(self, event: ImageEvent) -> None:
        """Take one event of the build."""
        image = printable(event.image)
        match event.state:
            case "building":
                self._running[event.folder] = (image, time.monotonic(), Spinner("dots"))
                if self._screen.console.is_terminal:
                    self._live.start()
                else:
                    self._screen.say(f"  {image} is being built, {event.number} of {event.of}")
            case "built":
                self._built += 1
                self._running.pop(event.folder, None)
                size = "" if event.size is None else f"{event.size / 1e6:.0f} MB"
                rest = f"{event.seconds:4.0f} s   {size:>7}   {event.number} of {event.of}"
                self._screen.done(f"{image:{_NAME_WIDTH}}", rest)
            case "unchanged":
                self._unchanged += 1
            case "failed":
                self._running.pop(event.folder, None)
                self._screen.warn(f"{image:{_NAME_WIDTH}}", "failed")

    def _drawn(self) -> RenderableType:
        for image, begun, spinner in self._running.values():
            line = Text(f"{image:{_NAME_WIDTH}}").append(f"  {time.monotonic() - begun:4.0f} s", "dim")
            spinner.update(text=line)
        return Group(*(spinner for _, _, spinner in self._running.values()))
