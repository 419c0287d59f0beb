"""Shows a build of images: what is being built now on a terminal, and a line for each image that is done."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from dryrun_contract.text import printable
from dryrun_local.images.building import ImageEvent
from dryrun_local.terminal.screen import Screen

_NAME_WIDTH = 42


class ImageScreen:
    """Prints a line for each image that is built, and only a count of the others."""

    def __init__(self, screen: Screen, what: str = "Images") -> None:
        self._screen = screen
        self._what = what
        self._running: dict[str, tuple[str, float, Spinner]] = {}
        self._unchanged = 0
        self._built = 0
        self._live = Live(
            console=screen.console, refresh_per_second=8, transient=True, get_renderable=self._drawn
        )

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Draw during the block; print the number of images if it ends well."""
        try:
            yield
        finally:
            self._live.stop()
        ready = f"{self._what}: {self._built + self._unchanged} ready"
        self._screen.done(ready, f"{self._built} built" if self._built else "none had changed")

    def show(self, event: ImageEvent) -> None:
        """Show one event of the build."""
        image = printable(event.image)
        match event.state:
            case "building":
                self._running[event.folder] = (image, time.monotonic(), Spinner("dots"))
                if self._screen.console.is_terminal:
                    self._live.start()
                else:
                    self._screen.say(f"  building {image}, {event.number} of {event.of}")
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
