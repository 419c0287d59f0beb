"""The surroundings of a frame of the live view: time, terminal, messages."""

from dataclasses import dataclass
from datetime import datetime

from dryrun_cli.drawing.glyphs import UNICODE, Glyphs


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything that a frame depends on besides the session."""

    now: datetime
    """The server's time, UTC."""
    width: int
    height: int
    short_id: str
    glyphs: Glyphs = UNICODE
    hint: str = ""
    """What Ctrl-C does now."""
    messages: tuple[str, ...] = ()
    """The state of the connection or of a requested stop."""

    @property
    def wide(self) -> bool:
        """Whether there is room for more than the essentials."""
        return self.width >= 110

    @property
    def most_discoveries(self) -> int:
        """The number of latest discoveries that fit."""
        return 5 if self.height >= 30 else 3
