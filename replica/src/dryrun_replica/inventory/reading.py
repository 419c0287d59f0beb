"""Reads an inventory from one or more files: finds each file's format, and refuses all or nothing."""

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType

from dryrun_contract.network import Addresses, AnyNetwork
from dryrun_contract.problem import Fault
from dryrun_contract.text import printable
from dryrun_replica.inventory.assembly import EXCLUDED, GreetingReader, assemble
from dryrun_replica.inventory.faults import InventoryError, TooLargeError
from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.model import MAX_FILES, Inventory, Source
from dryrun_replica.inventory.public_names import KNOWN_EVERYWHERE, PublicNames
from dryrun_replica.inventory.readers import (
    compose,
    csv_columns,
    csv_rows,
    diode,
    discoveries,
    netbox,
    nmap_xml,
    port_lists,
    report,
    scan_lines,
)
from dryrun_replica.inventory.recognition import recognise
from dryrun_replica.inventory.unreadable import why_foreign, why_packed, why_unknown

MAX_BYTES = 64 * 1024 * 1024
"""Size of all files together."""
_NOTHING_THERE = "networks of --exclude in which the files have no address"
_NO_PORTS = "no file names an open port"
_WHERE_PORTS = MappingProxyType(
    {
        "csv": "in a table, call their column {}, {} or {}".format(*csv_columns.PORT[:3]),
        "netbox": "of NetBox, add what it lists of services: /api/ipam/services/?limit=0",
        "compose": "in a Compose file, list them under ports or expose",
    }
)
_LOOSE = frozenset({None, "csv", "nmap-xml"})
"""What files of other programs are taken for, by an angle bracket or a separator."""

type Reader = Callable[[bytes, str, Findings], None]


@dataclass(frozen=True, slots=True)
class Format:
    """How a file may be written, and who reads it."""

    name: str
    title: str
    read: Reader


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        each.name: each
        for each in (
            Format("nmap-xml", "nmap's XML (nmap -oX)", nmap_xml.read),
            Format("masscan-xml", "masscan's XML (masscan -oX)", nmap_xml.read),
            Format("netbox", "NetBox: the REST API's JSON, or a CSV export", netbox.read),
            Format("csv", "a table with columns such as host, port, product, version", csv_rows.read),
            Format("compose", "a Compose file", compose.read),
            Format("diode", "Diode entities as JSON", diode.read),
            Format("discoveries", "this system's discoveries as JSON, NDJSON or CSV", discoveries.read),
            Format("report", "an earlier report as JSON", report.read),
            Format("naabu", "naabu's JSON lines (naabu -json)", scan_lines.read_naabu),
            Format("httpx", "httpx' JSON lines (httpx -json)", scan_lines.read_httpx),
            Format("zgrab2", "zgrab2's JSON lines", scan_lines.read_zgrab2),
            Format("masscan-json", "masscan's JSON (masscan -oJ or -oD)", scan_lines.read_masscan),
            Format("port-list", "open ports: nmap -oG, masscan -oL, RustScan -g, host:port", port_lists.read),
        )
    }
)
"""All formats by name; a new one is a row and a module in `readers`."""


@dataclass(frozen=True, slots=True)
class InventoryFile:
    """A file as it was read: what people call it, and its bytes."""

    name: str
    raw: bytes


def load_files(paths: Sequence[Path]) -> list[InventoryFile]:
    """Return the files' bytes. Raises InventoryError with every file that cannot be read or is too large."""
    files: list[InventoryFile] = []
    faults: list[Fault] = []
    left = MAX_BYTES
    if len(paths) > MAX_FILES:
        raise InventoryError(
            [Fault(where="files", what=f"{len(paths)} files; at most {MAX_FILES} are allowed")]
        )
    for path in paths:
        try:
            raw = _read_regular(path, left + 1)
        except OSError as error:
            what = f"cannot be read: {error.strerror or error}"
            faults.append(Fault(where=printable(str(path)), what=what))
            continue
        left -= len(raw)
        if left < 0:
            what = f"with the files before it goes beyond {MAX_BYTES // 1024**2} MiB, the most that is read"
            faults.append(Fault(where=printable(str(path)), what=what))
            break
        files.append(InventoryFile(path.name, raw))
    if faults:
        raise InventoryError(faults)
    return files


def _read_regular(path: Path, limit: int) -> bytes:
    # O_NONBLOCK: opening a pipe without a writer must not wait for one.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a regular file")
        return file.read(limit)


def read_inventory(
    files: Sequence[InventoryFile],
    now: datetime,
    *,
    file_format: str | None = None,
    keep_names: bool = False,
    known: PublicNames = KNOWN_EVERYWHERE,
    named_by: GreetingReader = lambda _: None,
    exclude: Sequence[AnyNetwork] = (),
) -> Inventory:
    """Return the inventory that all files together describe, less the hosts whose addresses `exclude` has.

    `file_format` names the format of all files, else each is recognised. `known` says of the names of
    products and services whether everybody may use them; others lose their names unless `keep_names`.
    `named_by` identifies a service by its banner where no file names a product. Raises InventoryError with
    the faults of all files.
    """
    findings = Findings()
    sources: list[Source] = []
    for number, file in enumerate(files, 1):
        name = printable(file.name, limit=100)
        file_is = file_format or recognise(file.raw)
        could_be_another = not file_format and file_is in _LOOSE
        unread = why_packed(file.raw) or (why_foreign(file.raw) if could_be_another else None)
        if unread is not None or file_is is None:
            findings.faults.add(name, unread or why_unknown(file.raw, ", ".join(FORMATS)))
            continue
        # The files of NetBox are lists and pages of one system.
        findings.begin_source("NetBox" if file_is == "netbox" else f"file {number}")
        try:
            FORMATS[file_is].read(file.raw, name, findings)
        except TooLargeError as error:
            findings.faults.add(name, str(error))
        sources.append(Source(format=file_is, sha256=hashlib.sha256(file.raw).hexdigest()))
    try:
        findings.join_by_names()
    except TooLargeError as error:
        findings.faults.add("the inventory", str(error))
    _leave_out(findings, exclude)
    if not findings.faults.total and all(host.is_left_out for host in findings.hosts):
        why = findings.notes + Counter(
            EXCLUDED if host.is_excluded else host.absent or "" for host in findings.hosts
        )
        said = "; ".join(f"{what}: {count:,}" for what, count in sorted(why.items())[:3])
        findings.faults.add("the inventory", "describes no host that runs" + (f" ({said})" if said else ""))
    findings.faults.raise_any()
    if not any(host.services for host in findings.hosts):
        formats = {source.format for source in sources}
        hints = [hint for each, hint in _WHERE_PORTS.items() if each in formats]
        findings.unread.append("; ".join([_NO_PORTS, *hints]))
    return assemble(findings, tuple(sources), now, keep_names=keep_names, known=known, named_by=named_by)


def _leave_out(findings: Findings, exclude: Sequence[AnyNetwork]) -> None:
    """Mark the hosts all of whose addresses lie in these networks; one that has another is still scanned."""
    excluded = Addresses(exclude)
    seen = [ip_address(address) for host in findings.hosts for address in host.addresses]
    for host in findings.hosts:
        host.is_excluded = bool(host.addresses) and all(
            ip_address(address) in excluded for address in host.addresses
        )
    for network in exclude:
        if not any(address in network for address in seen):
            findings.notes[_NOTHING_THERE] += 1
