"""Reads the cells in which tables name ports: `443`, `22/ssh`, `SSH 22`, `SSH (22)`, `80, 443` or `none`."""

import re
from typing import NamedTuple

from dryrun_replica.inventory.faults import quoted
from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.model import Transport
from dryrun_replica.inventory.well_known import is_protocol, protocol_of

MAX_PORTS_OF_A_CELL = 200
MAX_PORT = 65535
NO_PORT = "cells of ports that name none (0, none, - or n/a), read as empty"
NOT_OPEN = "ports that the table does not call open, left out"
OTHER_TRANSPORTS = "ports of other protocols than TCP and UDP, left out"
NO_PORTS = frozenset(
    {"0", "-", "--", "?", "n/a", "n/s", "na", "nan", "nil", "no", "none", "null", "unknown", "general"}
)
"""What people and programs write where there is no port: Nessus 0, OpenVAS `general`,
Angry IP Scanner `[n/s]`."""
_NO_NAME = NO_PORTS - {"0"}
"""Beside a port, they say that nobody knows what is spoken there: nmap writes `22/tcp unknown`."""
CLOSED = frozenset(
    {"closed", "filtered", "unfiltered", "open|filtered", "closed|filtered", "rst", "unreachable"}
)
"""What scanners call a port that did not say that it is open."""
_TRANSPORTS = {"t": "tcp", "u": "udp", **{name: name for name in ("tcp", "udp", "sctp", "dccp")}}
_NOTE = re.compile(r"\s{0,3}\(([^()]{0,60})\)")
_WORD_BESIDE = re.compile(r"(?<=\d)[ \t]{1,3}(?=[A-Za-z][\w.-]{0,40}(?:[\s,;|]|$))")
"""What stands between a port and the word after it, as in `443 https`; `T:22 U:53` has none such."""
_WORD_BEFORE = re.compile(
    r"(?<![^,;|\n])[ \t]{0,9}([A-Za-z][\w.-]{0,40})[ \t]{1,9}([1-9][0-9]{0,4}(?:/\w{3})?)"
    r"(?=[ \t]{0,9}(?:[,;|\n]|$))"
)
"""A word and the port after it, which are all that stands between two separators: `PostgreSQL 5432`."""
_LIST = re.compile(r"[\s,;{}\[\]]+")
_STATE = re.compile(r"(?:open|closed)\|filtered")
_ONE_OR_TWO = re.compile(r"([1-9][0-9]?)[,\s]([0-9]{3})")
"""A cell that is one number with a separator of thousands, or two ports: `8,443`."""
_WHOLE = re.compile(r"\.0$")
"""How spreadsheets end whole numbers: `443.0`."""
_EXPECTED = "expected 443, 443/tcp or 443/https"


class Place(NamedTuple):
    """A port of a cell, and what the cell says is spoken there."""

    number: int
    transport: Transport
    name: str | None = None


def ports_of(cell: str, stated: str, where: str, findings: Findings, column: str = "ports") -> list[Place]:
    """Return the ports of a cell such as `443`, `80, 443/tcp`, `udp/53`, `22 (ssh)`, `SSH (22)` or `{53}`.

    Where it says nothing of the transport, `stated` counts. Faults name `where` and `column`.
    """
    if (either := _either(cell.strip())) is not None:
        findings.faults.add(where, f"{quoted(cell.strip())} in the column {quoted(column)} {either}")
        return []
    # The bar stands between ports, and within the states of scanners.
    marked = _STATE.sub(lambda state: state[0].replace("|", "\x00"), cell).replace("|", " , ")
    marked = _WORD_BEFORE.sub(r"\1/\2", marked)
    joined = _WORD_BESIDE.sub("/", _NOTE.sub(_beside, marked))
    parts = [part.replace("\x00", "|") for part in _LIST.split(joined) if part]
    if len(parts) > MAX_PORTS_OF_A_CELL:
        findings.faults.add(where, f"lists {len(parts)} ports; at most {MAX_PORTS_OF_A_CELL} are allowed")
        return []
    found: list[Place] = []
    for part in parts:
        if _WHOLE.sub("", part).casefold() in NO_PORTS:
            findings.notes[NO_PORT] += 1
            continue
        place = _place(part, stated, where, findings, column)
        if place is not None:
            found.append(place)
    return found


def _beside(note: re.Match[str]) -> str:
    return "" if note[1].strip().casefold() in _NO_NAME else f"/{note[1]}"


def _either(cell: str) -> str | None:
    """Return what to write for a cell that could be one port or two; None for one that is clear.

    A list begins with a port that is in use: `22,443` is one, and 80,443 could be no single port.

    >>> _either("8,443")
    "is one port or two; write 8443, or '8;443'"
    >>> _either("22,443"), _either("80,443"), _either("8,080"), _either("8,443,9")
    (None, None, None, None)
    """
    parts = _ONE_OR_TWO.fullmatch(cell)
    if parts is None or parts[2].startswith("0") or int(parts[1] + parts[2]) > MAX_PORT:
        return None
    if protocol_of(None, None, int(parts[1]), "tcp") is not None:
        return None
    return f"is one port or two; write {parts[1]}{parts[2]}, or '{parts[1]};{parts[2]}'"


def _place(part: str, stated: str, where: str, findings: Findings, column: str) -> Place | None:
    of = f" in the column {quoted(column)}"
    first, *more = part.casefold().replace(":", "/", 1).split("/") if not part.startswith(":") else [part]
    if more and (first in _TRANSPORTS or (re.fullmatch(r"[1-9][0-9]*", more[0]) and _is_spoken(first))):
        first, more = more[0], [first, *more[1:]]
    said = _said_of(more)
    rule = _EXPECTED if said is None else None
    if "-" in first[1:]:
        rule = "list ports one by one, without ranges"
    elif re.fullmatch(r"0[0-9]+", first):
        # `8,080` is one number with a separator of thousands, and no two ports.
        rule = "write it without zeros before it"
    if said is None or rule is not None:
        findings.faults.add(where, f"{quoted(part)}{of} is not a port; {rule}")
        return None
    transport, name, is_open = said
    transport = transport or stated
    if transport in {"sctp", "dccp"}:
        findings.notes[OTHER_TRANSPORTS] += 1
        return None
    number = findings.port(_WHOLE.sub("", first), where, of=of)
    if number is not None and not is_open:
        findings.notes[NOT_OPEN] += 1
        number = None
    return None if number is None else Place(number, "udp" if transport == "udp" else "tcp", name)


def _said_of(words: list[str]) -> tuple[str | None, str | None, bool] | None:
    """Return transport, protocol and whether it is open, as the words after a port say; None for any other.

    >>> _said_of(["open", "tcp", "", "ssh"]), _said_of(["tpc"]), _said_of(["tcp", "udp"])
    (('tcp', 'ssh', True), None, None)
    >>> _said_of(["tcp", "unknown"]), _said_of(["none"])
    (('tcp', None, True), (None, None, True))
    """
    transport: str | None = None
    name: str | None = None
    is_open = True
    for word in words:
        text = word.strip()
        if text in _TRANSPORTS and transport is None:
            transport = _TRANSPORTS[text]
        elif text in CLOSED:
            is_open = False
        elif text and text != "open" and text not in _NO_NAME:
            if name is not None or not _is_spoken(text):
                return None
            name = text
    return transport, name, is_open


def _is_spoken(word: str) -> bool:
    """Whether a word names a protocol, or software that speaks one.

    >>> _is_spoken("ssh"), _is_spoken("postgresql"), _is_spoken("10.0.0.7"), _is_spoken("80")
    (True, True, False, False)
    """
    return is_protocol(word) or protocol_of(word, None, 0, "tcp") is not None
