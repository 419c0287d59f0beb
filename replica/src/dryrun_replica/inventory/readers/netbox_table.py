"""Reads the CSV that NetBox's pages export; which list a file is, its columns show."""

from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_host import as_address, identities_of
from dryrun_replica.inventory.found_service import described
from dryrun_replica.inventory.readers.netbox_terms import (
    IDENTIFYING,
    NO_HOST,
    NO_PARENT,
    NO_PORT,
    TWICE,
    note_status,
)
from dryrun_replica.inventory.readers.port_cells import ports_of
from dryrun_replica.inventory.table import Row, table

_PORTS = ("port_mappings", "ports", "port")


def read_table(raw: bytes, file: str, findings: Findings) -> None:
    """Add the hosts of an exported table to `findings`; every fault names its line."""
    rows = table(raw, file, findings.faults)
    if rows is None:
        return
    columns = {*rows.columns}
    for row in rows.rows():
        if columns & {*_PORTS}:
            _read_service_row(row, findings)
        elif columns & {"role", "device_role", "manufacturer", "device_type", "vcpus", "cluster"}:
            _read_host_row(row, findings)
        else:
            _read_address_row(row, findings)


def _read_host_row(row: Row, findings: Findings) -> None:
    name = row.first("name")
    addresses = [
        text
        for column in (
            "primary_ip",
            "ip_address",
            "primary_ip4",
            "ipv4_address",
            "primary_ip6",
            "ipv6_address",
            "primary_ipv4",
            "primary_ipv6",
        )
        if (text := row.cells.get(column)) and as_address(text)
    ]
    if name is None and not addresses:
        findings.notes["devices of NetBox without name and address, left out"] += 1
        return
    host = findings.host(identities_of([*addresses, *([name] if name else [])]))
    host.is_listed = True
    host.add_name(name)
    for address in addresses:
        findings.address(host, address)
    note_status(host, row.first("status"))
    host.purpose = host.purpose or row.first("role", "device_role")
    findings.words.update(text[:200] for column in IDENTIFYING if (text := row.cells.get(column)))


def _read_service_row(row: Row, findings: Findings) -> None:
    parent = row.first("parent", "device", "virtual_machine")
    if parent is None:
        findings.notes[NO_PARENT] += 1
        return
    host = findings.host(identities_of([parent]))
    host.add_name(parent)
    host.is_listed = host.is_listed or False
    column = next((each for each in _PORTS if each in row.cells), None)
    if column is None:
        findings.notes[NO_PORT] += 1
        return
    stated = (row.first("protocol") or "tcp").lower()
    for number, transport, _ in ports_of(row.cells[column], stated, row.where, findings, column):
        service = described(
            row.first("name") or "",
            product=row.first("product", "software", "application"),
            version=row.first("version"),
        )
        findings.add_service(host, number, transport, service, again=TWICE)


def _read_address_row(row: Row, findings: Findings) -> None:
    parent, text = (
        row.first("parent", "assigned_object_parent", "device", "virtual_machine"),
        row.first("ip_address", "address"),
    )
    if parent is None or text is None or as_address(text) is None:
        findings.notes[NO_HOST] += 1
        return
    host = findings.host(identities_of([parent, text]))
    host.add_name(parent)
    findings.address(host, text)
    host.add_name(row.first("dns_name"))
