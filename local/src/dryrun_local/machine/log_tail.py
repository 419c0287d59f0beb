"""The end of a log, for the message about a program that failed."""

import json
import os
from pathlib import Path
from typing import Final

from dryrun_contract.text import printable

LINES: Final = 15
_READ_BYTES: Final = 64 * 1024
"""A service's log may have grown for weeks."""


def tail(log: Path) -> str:
    """Return the last lines of a log, made printable and indented, and the log's path."""
    try:
        lines = _last_lines(log)
    except OSError as error:
        lines = [f"(no log: {error})"]
    messages = [text for line in lines for text in _messages(line)][-LINES:]
    shown = [f"    {printable(line, limit=300)}" for line in messages] or ["    (empty)"]
    return "\n".join([*shown, f"  the whole log: {log}"])


def _last_lines(log: Path) -> list[str]:
    with log.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - _READ_BYTES))
        content = file.read(_READ_BYTES)
    lines = content.decode("utf-8", "replace").splitlines()
    # The first one may have begun earlier.
    return lines[1 if end > _READ_BYTES and len(lines) > 1 else 0 :][-LINES:]


def _messages(line: str) -> list[str]:
    """Return the message of a log line; the services write JSON, with tracebacks in one field."""
    try:
        record = json.loads(line)
        texts = [record["message"], *filter(None, [record.get("error")])]
    except (ValueError, KeyError, TypeError):
        return [line]
    return "\n".join(map(str, texts)).splitlines()
