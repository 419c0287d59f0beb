"""Wraps messages for a terminal, between words and never within a command that a reader may copy."""

import re
from typing import Final

from rich.cells import cell_len

_COMMAND: Final = re.compile(r"`[^`]+`|(?:\(?see: |(?<=: ))dryrun(?:-local)? [^;)]+")
_KEPT: Final = "\x00"
"""Stands for a space at which no line may end; no message has it."""


def wrapped(line: str, width: int, indent: int = 0) -> list[str]:
    """Return one line as lines of at most `width` columns, the further ones indented.

    A word or a command that is longer than that stays whole.

    >>> wrapped("error: there is nothing; to see all: dryrun list --limit 5", 40, 7)
    ['error: there is nothing; to see all:', '       dryrun list --limit 5']
    """
    kept = _COMMAND.sub(lambda command: command[0].replace(" ", _KEPT), line)
    lines = [""]
    for word in re.findall(" *[^ ]+", kept):
        whole = word.replace(_KEPT, " ")
        if lines[-1] and cell_len(lines[-1] + whole) > width:
            lines.append(" " * indent + whole.lstrip())
        else:
            lines[-1] += whole
    return lines
