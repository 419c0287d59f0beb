"""Reads what NetBox exports: the JSON of its REST API here, the CSV of its pages in `netbox_table`.

JSON: an answer of the API (`results`), a list, or an object of such lists. One file may hold devices, virtual
machines, addresses and services, or several files one kind each; NetBox's numbers join them.
Source: NetBox's serializers of `dcim.Device`, `virtualization.VirtualMachine`, `ipam.IPAddress` and
`ipam.Service`, versions 3.5 to 4.7.
"""

from collections.abc import Iterator

from dryrun_replica.inventory.faults import quoted
from dryrun_replica.inventory.findings import Findings
from dryrun_replica.inventory.found_host import FoundHost, as_address, identities_of
from dryrun_replica.inventory.found_service import FoundService, described
from dryrun_replica.inventory.readers.netbox_table import read_table
from dryrun_replica.inventory.readers.netbox_terms import (
    IDENTIFYING,
    NO_HOST,
    NO_PARENT,
    NO_PORT,
    TWICE,
    note_status,
)
from dryrun_replica.inventory.tree import Item, json_item

DEVICE, MACHINE = "dcim.device", "virtualization.virtualmachine"
_KINDS = (
    ("/api/dcim/devices/", "device"),
    ("/api/virtualization/virtual-machines/", "machine"),
    ("/api/ipam/ip-addresses/", "address"),
    ("/api/ipam/services/", "service"),
)
_MAX_LISTS = 50
_MOST_OF_A_LIST = 10**9


def read(raw: bytes, file: str, findings: Findings) -> None:
    """Add the hosts of an export to `findings`; every fault names its path or line."""
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in {b"{", b"["}:
        read_table(raw, file, findings)
        return
    document = json_item(raw, file, findings.faults)
    if document is None:
        return
    count = 0
    for record in _records(document, findings):
        count += 1
        kind = _kind_of(record)
        if kind == "device":
            _read_host(record, DEVICE, findings)
        elif kind == "machine":
            _read_host(record, MACHINE, findings)
        elif kind == "address":
            _read_address(record, findings)
        elif kind == "service":
            _read_service(record, findings)
        else:
            findings.notes["objects of NetBox that say nothing about hosts, left out"] += 1
    if not count:
        document.fault("holds no objects; expected devices, virtual machines, addresses or services")


def _records(document: Item, findings: Findings) -> Iterator[Item]:
    results = document.member("results")
    if isinstance(document.value, list):
        yield from document.items()
    elif results is not None:
        yield from results.items()
        _count_page(document, results, findings)
    else:
        for part, _ in zip(document.members(), range(_MAX_LISTS), strict=False):
            if isinstance(part.value, dict) and part.member("results") is not None:
                yield from _records(part, findings)
            elif isinstance(part.value, list):
                yield from part.items()


def _count_page(document: Item, results: Item, findings: Findings) -> None:
    """Add what an answer holds of its list: NetBox cuts long lists into pages, also with limit=0."""
    count = document.value.get("count") if isinstance(document.value, dict) else None
    if isinstance(count, int) and isinstance(results.value, list) and results.value:
        of = _kind_of(next(results.items()))
        if of is None:  # A list of something else: what is missing of it says nothing about hosts.
            return
        numbers = (_number_of(record) for record in results.items())
        findings.pages.add(of, min(count, _MOST_OF_A_LIST), numbers)


def _number_of(record: Item) -> str:
    number = record.member("id")
    return str(number.value) if number is not None and isinstance(number.value, int) else record.where


def _kind_of(record: Item) -> str | None:
    url = record.value.get("url") if isinstance(record.value, dict) else None
    if isinstance(url, str):
        return next((kind for path, kind in _KINDS if path in url), None)
    # Without its own address an object is known by members that no other has.
    has = record.value.keys() if isinstance(record.value, dict) else set[str]()
    if has & {"ports", "port_mappings"}:
        return "service"
    if "address" in has:
        return "address"
    if "device_type" in has or "rack" in has:
        return "device"
    return "machine" if "vcpus" in has or "cluster" in has else None


def _read_host(record: Item, kind: str, findings: Findings) -> None:
    number, name = record.text("id"), record.text("name", "display")
    if number is None and name is None:
        record.fault("has neither id nor name")
        return
    addresses = [
        address
        for member in ("primary_ip4", "primary_ip6", "primary_ip")
        if (found := record.member(member)) is not None
        and (address := found.text("address")) is not None
        and as_address(address) is not None
    ]
    host = findings.host(_identities(kind, number, None if number else name, addresses))
    host.is_listed = True
    host.add_name(name)
    for address in addresses:
        findings.address(host, address)
    status = record.member("status")
    note_status(host, _record_text(status) or (status.text("value") if status is not None else None))
    role = record.member("role", "device_role")
    host.purpose = host.purpose or (role.text("name", "display") if role is not None else None)
    for member in IDENTIFYING:
        place = record.member(member)
        text = place.text("name", "display") if place is not None else None
        if text:
            findings.words.add(text[:200])


def _identities(kind: str, number: str | None, name: str | None, addresses: list[str]) -> list[str]:
    own = [f"{kind} {number}"] if number else []
    # Two sites may have a device of one name; where there is a number, the name says nothing.
    return [*own, *identities_of([*addresses, *([name] if name else [])])]


def _parent(record: Item, findings: Findings) -> FoundHost | None:
    """Return the host that a service or an interface belongs to."""
    for member, kind in (("device", DEVICE), ("virtual_machine", MACHINE)):
        found = record.member(member)
        if found is not None:
            number, name = found.text("id"), found.text("name", "display")
            if number or name:
                host = findings.host(_identities(kind, number, None if number else name, []))
                host.add_name(name)
                return host
    # From version 4.3 on a service has one parent of any kind.
    kind_of_parent, number = record.text("parent_object_type"), record.text("parent_object_id")
    if kind_of_parent in {DEVICE, MACHINE} and number:
        host = findings.host(_identities(str(kind_of_parent), number, None, []))
        parent = record.member("parent")
        host.add_name(parent.text("name", "display") if parent is not None else None)
        return host
    return None


def _read_address(record: Item, findings: Findings) -> None:
    text = record.text("address")
    if text is None or as_address(text) is None:
        record.fault("has no address")
        return
    name = record.text("dns_name")
    if name:
        findings.words.add(name[:200])
    interface = record.member("assigned_object")
    host = _parent(interface, findings) if interface is not None else None
    if host is None:
        findings.notes[NO_HOST] += 1
        return
    address = as_address(text)
    same = findings.host([*sorted(host.identities)[:1], f"address {address}"])
    findings.address(same, text)
    same.add_name(name)


def _read_service(record: Item, findings: Findings) -> None:
    host = _parent(record, findings)
    if host is None:
        findings.notes[NO_PARENT] += 1
        return
    host.is_listed = host.is_listed or False
    listed = record.member("port_mappings", "ports")
    if listed is not None and listed.value == []:
        findings.notes[NO_PORT] += 1
    for transport, port, where in _ports(record):
        if transport not in {"tcp", "udp"}:
            findings.notes["ports of other protocols than TCP and UDP, left out"] += 1
            continue
        number = findings.port(port, where)
        if number is not None:
            service = _described(record.text("name", "display") or "", record.member("custom_fields"))
            findings.add_service(host, number, "udp" if transport == "udp" else "tcp", service, again=TWICE)


def _ports(record: Item) -> Iterator[tuple[str, object, str]]:
    """Yield protocol in lower case, port and place of each port of a service."""
    mappings = record.member("port_mappings")
    if mappings is not None:
        # Since version 4.7; beside it `ports` is null where a service has several protocols.
        for item in mappings.items():
            text = _record_text(item)
            if text is None:
                item.fault("is not text; expected something such as tcp/443")
                continue
            transport, slash, port = text.strip().partition("/")
            if not (transport and slash):
                item.fault(f"{quoted(text)} has no protocol; expected one such as tcp/443")
                continue
            yield transport.lower(), port, item.where
        return
    protocol = record.member("protocol")
    value = protocol.text("value") if protocol is not None and isinstance(protocol.value, dict) else None
    ports = record.member("ports")
    if ports is None:
        record.fault("has no ports")
        return
    for item in ports.items():
        yield (value or _record_text(protocol) or "tcp").lower(), item.value, item.where


def _described(name: str, fields: Item | None) -> FoundService:
    """Return what a service's name says; custom fields `product`, `software` and `version` know better."""
    return described(
        name,
        product=_field(fields, "product", "software", "application"),
        version=_field(fields, "version", "product_version", "software_version"),
    )


def _record_text(item: Item | None) -> str | None:
    """Return the text that an item is; None when it is no text."""
    return item.value if item is not None and isinstance(item.value, str) else None


def _field(fields: Item | None, *names: str) -> str | None:
    """Return the first of these custom fields; a selection's is an object with its label since 4.7.

    Several choices name no product, and one of a list of one does.
    """
    found = fields.member(*names) if fields is not None else None
    if fields is None or found is None:
        return None
    if isinstance(found.value, list):
        choices = [*found.items()]
        if len(choices) != 1:
            return None
        found = choices[0]
        if not isinstance(found.value, dict):
            return _record_text(found)
    return found.text("label", "value") if isinstance(found.value, dict) else fields.text(*names)
