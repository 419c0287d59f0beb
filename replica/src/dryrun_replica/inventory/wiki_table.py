"""Reads the tables of wikis as tables that bars separate: Markdown's, Confluence's and Jira's."""

import re

from dryrun_replica.inventory.faults import FaultList, quoted

_DASHES = re.compile(r"[\s:|+-]+")
_MARKS = re.compile(r"\*\*|`")
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)


def without_drawing(text: str, file: str, faults: FaultList) -> str | None:
    r"""Return the rows of a wiki's table, each on its own line; None for any other text.

    Markdown draws `| Host | Port |` over a line of dashes, Confluence and Jira a heading `||Host||Port||`.

    >>> without_drawing("| **Host** | Port |\n|---|:-:|\n| `a` | 22<br>80 |\n", "file", FaultList())
    ' Host | Port \n\n a | 22 80 \n'
    >>> without_drawing("||Host||Port||\n|a|22|\n||23|\n", "file", FaultList())
    'Host|Port\na|22\n|23\n'
    """
    lines = text.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    heading = lines[first].strip()
    if not (heading.startswith("|") and heading.endswith("|")):
        return None
    bars = "||" if heading.startswith("||") else "|"
    lines[first] = _cells(heading, bars).replace("||", "|")
    for number, line in enumerate(lines[first + 1 :], first + 1):
        row = line.strip()
        if row and not row.startswith("|"):
            faults.add(f"{file}:{number + 1}", f"{quoted(row)} is no row of the table; save the table alone")
            row = ""
        lines[number] = "" if _DASHES.fullmatch(row) else _cells(row, "|")
    return "\n".join(lines)


def _cells(row: str, bars: str) -> str:
    inside = row.removeprefix(bars).removesuffix(bars).replace("\\|", " ")
    return _MARKS.sub("", _BREAK.sub(" ", inside))
