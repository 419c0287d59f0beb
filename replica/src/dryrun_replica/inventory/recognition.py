"""Recognises the format of an inventory's file by how it begins."""

import re
from collections.abc import Callable, Sequence

from dryrun_replica.inventory.readers.port_lists import BEGINS
from dryrun_replica.inventory.table import encoding_of, plain

_HEAD = 4096
_BY_MASSCAN = re.compile(
    rb"\A[\[\s]{0,50}\{\s{0,20}\"ip\":[^\0\n]{1,300}(?:\"ports\":\s{0,5}\[|\"rec_type\":)"
)
_MEMBERS_OF_LINES = (
    *(b"ip", b"host", b"port", b"protocol", b"TLS", b"timestamp", b"url", b"input", b"scheme"),
    *(b"status_code", b"data"),
)

_OF_NETBOX = frozenset(
    ("virtual_machine", "parent", "device_type", "device_role", "tenant", "vrf", "assigned", "cluster")
)
_OF_VMWARE = frozenset({"vm", "powerstate", "power_state"})
"""Columns of RVTools and vSphere, which know clusters too."""


def recognise(raw: bytes) -> str | None:
    """Return the format of a file by how it begins; None when it could be anything."""
    head = raw[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    if BEGINS.match(head):
        return "port-list"
    utf16 = raw[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in raw[:4]
    if head[:1] == b"<" or (utf16 and b"<" in raw[:4]):
        return "masscan-xml" if b'scanner="masscan"' in head else "nmap-xml"
    if head[:1] in {b"{", b"["}:
        return _json_format(raw[: 64 * 1024])
    if not utf16 and re.search(
        rb"^(?:services|version|name|x-[\w-]+|networks|volumes):", raw[: 64 * 1024], re.MULTILINE
    ):
        return "compose" if re.search(rb"^[\"']?services[\"']?\s*:", raw, re.MULTILINE) else None
    return _table_format(raw)


def _json_format(head: bytes) -> str | None:
    if _BY_MASSCAN.match(head):
        return "masscan-json"
    written = _scanner_of(head.partition(b"\n")[0])
    if written is not None and not re.search(rb'"(?:entities|scan_over)"\s*:', head):
        return written
    return next((name for name, is_so in _JSON if is_so(head)), None)


def _has(*expressions: bytes) -> Callable[[bytes], bool]:
    compiled = [re.compile(each) for each in expressions]
    return lambda head: all(each.search(head) for each in compiled)


_JSON: Sequence[tuple[str, Callable[[bytes], bool]]] = (
    ("diode", _has(rb'"entities"\s*:')),
    ("report", _has(rb'"scan_over"\s*:', rb'"version"\s*:')),
    ("discoveries", _has(rb'"kind"\s*:\s*"[a-z]', rb'"key"\s*:')),
    ("compose", _has(rb'\A(?![^\0]*"results"\s*:)', rb'"services"\s*:\s*\{')),
    (
        "netbox",
        _has(
            rb'"results"\s*:|"url"\s*:\s*"[^"]{0,500}/api/'
            # LibreNMS' lists are called so, too.
            rb'|\A(?![^\0]*"device_id"\s*:)[^\0]*"(?:devices|virtual_machines|ip_addresses|services)"\s*:'
        ),
    ),
)
"""Formats of JSON by what their heads hold, in the order in which they are tried."""


def _scanner_of(line: bytes) -> str | None:
    """Return which scanner wrote a file by its first line, which holds a whole object."""
    members = {name for name in _MEMBERS_OF_LINES if b'"%b":' % name in re.sub(rb'"\s+:', b'":', line)}
    if {b"ip", b"data"} <= members and re.search(rb'"data"\s*:\s*\{"\w{1,40}"\s*:\s*\{"status"', line):
        return "zgrab2"
    if {b"url", b"input", b"port"} <= members and members & {b"scheme", b"status_code"}:
        return "httpx"
    if {b"port", b"timestamp"} <= members and members & {b"ip", b"host"} and members & {b"protocol", b"TLS"}:
        return "naabu"
    return None


def _table_format(raw: bytes) -> str | None:
    text = raw[:_HEAD].decode(encoding_of(raw), "ignore")
    heading = next((line for line in text.splitlines() if line.strip() and not re.match(r'"?sep=', line)), "")
    columns = {plain(cell.strip('" ')) for cell in re.split(r"[,;\t|]", heading)}
    if len(columns) < 2:
        return None
    if {"kind", "key"} <= columns:
        return "discoveries"
    if columns & _OF_NETBOX and not columns & _OF_VMWARE:
        return "netbox"
    return "csv"
