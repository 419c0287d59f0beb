"""Wraps messages for a terminal, between words and never within a command that a reader may copy."""

import re
import textwrap
from typing import Final

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
    lines = textwrap.wrap(
        kept,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    return [each.replace(_KEPT, " ") for each in lines] or [""]
