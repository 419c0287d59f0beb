"""Makes the server's strings inert; nothing of them reaches the screen in another way."""

import json

from pydantic import JsonValue
from rich.text import Text

from dryrun_contract.text import printable

_NO_LIMIT = 2**31


def inert(value: object, limit: int = 200) -> str:
    """Return `value` as one line that cannot steer a terminal, with an ellipsis after `limit` characters."""
    return printable(str(value), limit=limit)


def inert_lines(document: str) -> str:
    """Return a document without anything that could steer a terminal, except its line breaks."""
    return "\n".join(printable(line, limit=_NO_LIMIT) for line in document.replace("\r\n", "\n").split("\n"))


def shown(value: object, style: str = "", *, limit: int = 200) -> Text:
    """Return `value` as one inert line. A Text is never read as markup: `[red]` stays `[red]`."""
    return Text(inert(value, limit), style=style, no_wrap=True, overflow="ellipsis", end="")


def folded(value: object, limit: int = 200) -> Text:
    """Return `value` as one inert line, which a narrow column wraps."""
    return Text(inert(value, limit))


def ascii_json(value: JsonValue, *, indent: int | None = None) -> str:
    r"""Return JSON in printable ASCII: nothing is lost, and a terminal gets `\u001b`, not ESC."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=True, indent=indent, separators=separators)
    return text.replace("\x7f", "\\u007f")


def value_text(value: JsonValue) -> str:
    """Return a value of a report as one inert line; of a list, the first twenty."""
    if value is None:
        return "nothing"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return inert(", ".join(value_text(part) for part in value[:20]))
    return inert(value)
