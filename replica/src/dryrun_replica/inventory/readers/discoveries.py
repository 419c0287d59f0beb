"""Reads this system's own discoveries: a page of the API, a line for each, or a table of them.

Hosts, services, certificates and web sites matter here; databases, tables and shares say nothing about what a
stand-in runs.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from pydantic import JsonValue

from dryrun_contract.bounded_json import read_json
from dryrun_contract.discovery import LINE_BOUNDS
from dryrun_contract.resource_key import ResourceKey
from dryrun_replica.inventory.faults import quoted
from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_host import FoundHost, identities_of
from dryrun_replica.inventory.found_service import FoundService, FoundTls
from dryrun_replica.inventory.model import Transport
from dryrun_replica.inventory.table import table
from dryrun_replica.inventory.tree import Item, json_item, json_lines

_READ = frozenset({"host", "service", "certificate", "web_app"})
_OF_LINES = frozenset({"progress", "warning", "end"})
_OTHER_KINDS = "discoveries of other kinds than hosts, services, certificates and sites, left out"


def read(raw: bytes, file: str, findings: Findings) -> None:
    """Add the hosts of the discoveries to `findings`; every fault names its line or path."""
    for item in _items(raw, file, findings):
        if not isinstance(item.value, dict):
            item.fault("is not a discovery")
        elif item.value.get("type") not in _OF_LINES and item.value.get("status") != "rejected":
            _add(item, findings)


def _items(raw: bytes, file: str, findings: Findings) -> Iterator[Item]:
    head = raw.lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] == b"[" or (head[:1] == b"{" and _is_page(head)):
        document = json_item(raw, file, findings.faults)
        if document is not None:
            yield from (document.member("discoveries") or document).items()
    elif head[:1] == b"{":
        yield from json_lines(raw, file, findings.faults)
    else:
        yield from _rows(raw, file, findings)


def _is_page(head: bytes) -> bool:
    return b'"discoveries"' in head[:200] and b'"end"' not in head.partition(b"\n")[0]


def _rows(raw: bytes, file: str, findings: Findings) -> Iterator[Item]:
    rows = table(raw, file, findings.faults)
    if rows is None:
        return
    for row in rows.rows():
        data: JsonValue = {name: cell for name, cell in row.cells.items() if name not in _OWN_COLUMNS}
        if "data" in row.cells:
            try:
                data = read_json(row.cells["data"].encode(), LINE_BOUNDS)
            except (ValueError, RecursionError):
                findings.faults.add(row.where, f"the cell data is not JSON: {quoted(row.cells['data'])}")
                continue
        value: dict[str, JsonValue] = {name: row.cells.get(name) for name in ("kind", "key", "status")}
        yield Item(
            {**value, "data": data, "confidence": _number(row.cells.get("confidence"))},
            row.where,
            findings.faults,
        )


_OWN_COLUMNS = frozenset({"kind", "key", "confidence", "data", "status", "id", "revision"})


def _number(text: str | None) -> JsonValue:
    try:
        value = json.loads(text or "null")
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, int | float) else text


def _add(item: Item, findings: Findings) -> None:
    kind, text = item.text("kind"), item.text("key")
    if kind is None or text is None:
        item.fault("has no kind or no key")
        return
    if kind not in _READ:
        findings.notes[_OTHER_KINDS] += 1
        return
    try:
        key = ResourceKey.parse(text[:1000])
    except ValueError as error:
        item.fault(str(error))
        return
    host = findings.host(identities_of([key.host]))
    findings.address(host, key.host)
    data = item.member("data")
    if key.port is None or (kind == "web_app" and key.path):
        return
    confidence = item.number("confidence", least=0, most=1)
    service = found_service(kind, data, 1.0 if confidence is None else confidence)
    transport: Transport = "udp" if key.transport == "udp" else "tcp"
    findings.add_service(host, key.port, transport, service)


def found_service(kind: str, data: Item | None, confidence: float) -> FoundService:
    """Return what one discovery says about its service."""
    if data is None:
        return FoundService(confidence=confidence)
    if kind == "certificate":
        return FoundService(tls=certificate(data), confidence=confidence)
    if kind == "web_app":
        return FoundService(title=data.text("title"), confidence=confidence)
    cpe = data.member("cpe")
    names = cpe.value if cpe is not None and isinstance(cpe.value, list) else []
    tls = data.member("tls")
    return FoundService(
        name=data.text("name"),
        product=data.text("product"),
        version=data.text("version"),
        cpe=tuple(name for name in names[:8] if isinstance(name, str)),
        tls=FoundTls() if tls is not None and tls.value in {True, "true", "True"} else None,
        banner=data.text("banner"),
        confidence=confidence,
        from_scanner=True,
    )


def certificate(data: Item) -> FoundTls:
    """Return what a discovered certificate says."""
    until = data.text("not_after")
    try:
        not_after = datetime.fromisoformat(until) if until else None
    except ValueError:
        not_after = None
    if not_after is not None and not_after.tzinfo is None:
        not_after = not_after.replace(tzinfo=UTC)
    signed = data.member("self_signed")
    return FoundTls(
        subject=data.text("subject"),
        issuer=data.text("issuer"),
        not_after=not_after,
        self_signed=signed.value if signed is not None and isinstance(signed.value, bool) else None,
    )


def host_named(name: str, findings: Findings) -> FoundHost:
    """Return the host that a report calls by its service's name."""
    host = findings.host(identities_of([name]))
    host.add_name(name)
    return host
