"""The only way for a server's strings onto the screen: inert, whatever a target said."""

import json

from pydantic import JsonValue
from rich.text import Text

from dryrun_contract.text import printable

_NO_LIMIT = 2**31


def inert(value: object, limit: int = 200) -> str:
    """Return `value` as one line that steers nothing, cut with an ellipsis after `limit` characters."""
    return printable(str(value), limit=limit)


def inert_lines(document: str) -> str:
    """Make a whole document inert: of all that could steer a terminal, only its line breaks stay."""
    return "\n".join(printable(line, limit=_NO_LIMIT) for line in document.replace("\r\n", "\n").split("\n"))


def shown(value: object, style: str = "", *, limit: int = 200) -> Text:
    """Return one line for drawing. A Text is never read as markup, so `[red]` stays `[red]`."""
    return Text(inert(value, limit), style=style, no_wrap=True, overflow="ellipsis", end="")


def ascii_json(value: JsonValue, *, indent: int | None = None) -> str:
    r"""Return JSON in printable ASCII only: nothing is lost, and a terminal sees `\u001b`, not ESC."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=True, indent=indent, separators=separators)
    return text.replace("\x7f", "\\u007f")
