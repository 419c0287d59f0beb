"""Reads an inventory from one or more files: finds each file's format, and refuses all or nothing."""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from dryrun_contract.problem import Fault
from dryrun_contract.text import printable
from dryrun_replica.inventory.assembly import GreetingReader, assemble
from dryrun_replica.inventory.faults import InventoryError, TooLargeError
from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.model import MAX_FILES, Inventory, Source
from dryrun_replica.inventory.public_names import KNOWN_EVERYWHERE, PublicNames
from dryrun_replica.inventory.readers import compose, csv_rows, diode, discoveries, netbox, nmap_xml, report
from dryrun_replica.inventory.table import encoding_of, plain

MAX_BYTES = 64 * 1024 * 1024
"""Size of all files together."""
_HEAD = 4096
_NMAP_FOR_PEOPLE = re.compile(
    rb"^(?:Starting Nmap |# Nmap [\d.]+\w* scan initiated|Nmap scan report for )", re.MULTILINE
)
"""How nmap's output on a terminal, of -oN and of -oG begins."""
_MASSCAN_LIST = re.compile(rb"^#masscan\s|^\W{0,5}\{\s*\"ip\":.{0,200}\"ports\":", re.DOTALL)
"""What its -oL and -oJ begin with."""
_NO_PORTS = "no file names an open port"
_WHERE_PORTS = MappingProxyType(
    {
        "csv": "in a table, call their column {}, {} or {}".format(*csv_rows.PORT[:3]),
        "compose": "in a Compose file, list them under ports or expose",
    }
)
_COMPRESSED = MappingProxyType(
    {
        b"\x1f\x8b": "is compressed by gzip; decompress it first",
        b"\x28\xb5\x2f\xfd": "is compressed by zstd; decompress it first",
        b"\xfd7zXZ": "is compressed by xz; decompress it first",
        b"BZh": "is compressed by bzip2; decompress it first",
        b"PK\x03\x04": "is a ZIP archive or a spreadsheet; unpack it, or save the sheet as CSV",
        b"\xd0\xcf\x11\xe0": "is an Excel workbook; save the sheet as CSV",
        b"%PDF-": "is a PDF; export the table as CSV",
    }
)

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
) -> Inventory:
    """Return the inventory that all files together describe.

    `file_format` names the format of all files, else each is recognised. `known` says of the names of
    products and services whether everybody may use them; others lose their names unless `keep_names`.
    `named_by` identifies a service by its banner where no file names a product. Raises InventoryError with
    the faults of all files.
    """
    findings = Findings()
    sources: list[Source] = []
    for number, file in enumerate(files, 1):
        name = printable(file.name, limit=100)
        if (packed := _why_packed(file.raw)) is not None:
            findings.faults.add(name, packed)
            continue
        file_is = file_format or recognise(file.raw)
        if file_is is None:
            findings.faults.add(name, _why_unknown(file.raw))
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
    if not findings.faults.total and all(host.is_left_out for host in findings.hosts):
        findings.faults.add("the inventory", "describes no host that runs")
    findings.faults.raise_any()
    if not any(host.services for host in findings.hosts):
        formats = {source.format for source in sources}
        hints = [hint for each, hint in _WHERE_PORTS.items() if each in formats]
        findings.unread.append("; ".join([_NO_PORTS, *hints]))
    return assemble(findings, tuple(sources), now, keep_names=keep_names, known=known, named_by=named_by)


def _why_packed(raw: bytes) -> str | None:
    """Return why no format reads a file: compressed bytes can look like a table's heading."""
    return next((what for signature, what in _COMPRESSED.items() if raw.startswith(signature)), None)


def _why_unknown(raw: bytes) -> str:
    if not raw.strip():
        return "is empty"
    if _MASSCAN_LIST.search(raw[:_HEAD]):
        return "is masscan's list or JSON; scan with -oX FILE and import that file"
    if _NMAP_FOR_PEOPLE.search(raw[:_HEAD]):
        return "is what nmap prints for people; scan with -oX FILE and import that file"
    known = ", ".join(FORMATS)
    return (
        f"has no known format; name it by --format: {known}. A table begins with a heading such as host,port"
    )


def recognise(raw: bytes) -> str | None:
    """Return the format of a file by how it begins; None when it could be anything."""
    head = raw[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
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
    if re.search(rb'"entities"\s*:', head):
        return "diode"
    if re.search(rb'"scan_over"\s*:', head) and re.search(rb'"version"\s*:', head):
        return "report"
    if re.search(rb'"kind"\s*:\s*"[a-z]', head) and re.search(rb'"key"\s*:', head):
        return "discoveries"
    if re.search(rb'"(?:results|devices|virtual_machines|ip_addresses|services|url)"\s*:', head):
        return "netbox"
    return None


def _table_format(raw: bytes) -> str | None:
    text = raw[:_HEAD].decode(encoding_of(raw), "ignore")
    heading = next((line for line in text.splitlines() if not re.match(r'"?sep=', line)), "")
    columns = {plain(cell.strip('" ')) for cell in re.split(r"[,;\t|]", heading)}
    if len(columns) < 2:
        return None
    if {"kind", "key"} <= columns:
        return "discoveries"
    if columns & {
        "virtual_machine",
        "parent",
        "device_type",
        "device_role",
        "tenant",
        "vrf",
        "assigned",
        "cluster",
    }:
        return "netbox"
    return "csv"
