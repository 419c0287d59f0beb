"""What a frame of the live view depends on beside the session: time, terminal, connection."""

from dataclasses import dataclass
from datetime import datetime

from dryrun_cli.drawing.glyphs import UNICODE, Glyphs


@dataclass(frozen=True, slots=True)
class Frame:
    """What a frame needs beside the session's state."""

    now: datetime
    """The present by the server's clock, UTC."""
    width: int
    height: int
    short_id: str
    glyphs: Glyphs = UNICODE
    hint: str = ""
    """What Ctrl-C does now."""
    messages: tuple[str, ...] = ()
    """What is wrong with the connection, or became of a stop."""

    @property
    def wide(self) -> bool:
        """Whether there is room for more than the essentials."""
        return self.width >= 110

    @property
    def most_discoveries(self) -> int:
        """How many of the latest discoveries have room."""
        return 5 if self.height >= 30 else 3
