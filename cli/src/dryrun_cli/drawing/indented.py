"""Sets what belongs to a heading below it."""

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text


def indented(what: RenderableType, style: str = "") -> RenderableType:
    """Return a table, or a text in `style`, two columns further to the right."""
    return Padding(Text(what, style=style) if isinstance(what, str) else what, (0, 0, 0, 2), expand=False)
