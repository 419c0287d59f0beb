"""The program under test, and what of its output could steer a terminal."""

import re
import sys
import unicodedata
from pathlib import Path

DRYRUN = str(Path(sys.executable).with_name("dryrun"))
UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
OURS = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|\?7[lh]|[0-9]*A|2K|0?K)")
"""What Rich and we write on purpose: colours, cursor and wrapping on or off, up, erase line."""


def steering(text):
    """Return what could steer a terminal in `text`, apart from our own sequences and line breaks."""
    rest = OURS.sub("", text)
    return sorted(
        {character for character in rest if unicodedata.category(character) in UNSAFE} - {"\n", "\r"}
    )
