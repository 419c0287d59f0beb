"""Reads what Diode ingests into NetBox: entities as JSON, as the dry run of its Python SDK writes them.

Objects refer to each other by name, as Diode itself matches them. Both spellings of protobuf's JSON are read.
Source: netboxlabs/diode-sdk-python, `DiodeDryRunClient.ingest` and `diode/v1/ingester.proto`.
"""

from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_host import FoundHost, as_address, identities_of
from dryrun_replica.inventory.found_service import described
from dryrun_replica.inventory.tree import Item, json_item

_TWICE = "services that Diode's entities list twice, merged"


def read(raw: bytes, file: str, findings: Findings) -> None:
    """Add the hosts of the entities to `findings`; every fault names its path."""
    document = json_item(raw, file, findings.faults)
    if document is None:
        return
    entities = document.member("entities")
    if entities is None and not isinstance(document.value, list):
        document.fault("has no entities")
        return
    for entity in (entities or document).items():
        if not isinstance(entity.value, dict):
            entity.fault("is not an entity")
        elif (device := entity.member("device")) is not None:
            _read_host(device, "device", findings)
        elif (machine := entity.member("virtual_machine", "virtualMachine")) is not None:
            _read_host(machine, "machine", findings)
        elif (address := entity.member("ip_address", "ipAddress")) is not None:
            _read_address(address, findings)
        elif (service := entity.member("service")) is not None:
            _read_service(service, findings)
        else:
            findings.notes["entities of Diode that say nothing about hosts, left out"] += 1


def _read_host(record: Item, kind: str, findings: Findings) -> FoundHost | None:
    name = record.text("name")
    if name is None:
        record.fault("has no name")
        return None
    site = record.member("site")
    where = (site.text("name") if site is not None else None) or ""
    # A device is its name and its site.
    host = findings.host([f"{kind} {name.casefold()[:300]} at {where.casefold()[:300]}"])
    host.is_scoped = host.is_scoped or bool(where)
    host.add_name(name)
    if where:
        findings.words.add(where[:200])
    role = record.member("role")
    host.purpose = host.purpose or (role.text("name") if role is not None else None)
    for member in ("primary_ip4", "primaryIp4", "primary_ip6", "primaryIp6"):
        found = record.member(member)
        text = found.text("address") if found is not None else None
        if text and as_address(text):
            host = findings.host([*sorted(host.identities)[:1], *identities_of([text])])
            findings.address(host, text)
    return host


def _parent(record: Item, findings: Findings) -> FoundHost | None:
    device = record.member("device")
    if device is not None:
        return _read_host(device, "device", findings)
    machine = record.member("virtual_machine", "virtualMachine")
    return _read_host(machine, "machine", findings) if machine is not None else None


def _read_address(record: Item, findings: Findings) -> None:
    text = record.text("address")
    if text is None or as_address(text) is None:
        record.fault("has no address")
        return
    interface = record.member(
        "assigned_object_interface",
        "assignedObjectInterface",
        "assigned_object_vm_interface",
        "assignedObjectVmInterface",
    )
    host = _parent(interface, findings) if interface is not None else None
    if host is None:
        findings.notes["addresses of Diode without a host, left out"] += 1
        return
    same = findings.host([*sorted(host.identities)[:1], *identities_of([text])])
    findings.address(same, text)
    same.add_name(record.text("dns_name", "dnsName"))


def _read_service(record: Item, findings: Findings) -> None:
    host = _parent(record, findings)
    if host is None:
        findings.notes["services of Diode without a host of their own, left out"] += 1
        return
    transport = (record.text("protocol") or "tcp").lower()
    ports = record.member("ports")
    if ports is None:
        # As in the SDK's smallest example: a name and nothing to reach it by.
        findings.notes["services of Diode without a port, left out"] += 1
        return
    for item in ports.items():
        if transport not in {"tcp", "udp"}:
            findings.notes["ports of other protocols than TCP and UDP, left out"] += 1
            continue
        number = findings.port(item.value, item.where)
        if number is not None:
            service = described(record.text("name") or "")
            findings.add_service(host, number, "udp" if transport == "udp" else "tcp", service, again=_TWICE)
